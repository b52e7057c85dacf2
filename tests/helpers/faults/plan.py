"""The faults of a test, in a fixed random order, and the table of their outcomes."""

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

COUNTS = {
    ("worker", "killed"): 3,
    ("worker", "away"): 2,
    ("flow process", "killed"): 3,
    ("flow process", "away"): 2,
    ("training process", "killed"): 3,
    ("training process", "away"): 1,
    ("worker and flow process", "killed"): 2,
    ("MLflow", "killed"): 2,
    ("MLflow", "away"): 2,
    ("one process of MLflow", "killed"): 2,
    ("Prefect server", "killed"): 2,
    ("Prefect server", "away"): 2,
    ("PostgreSQL", "killed"): 2,
    ("PostgreSQL", "away"): 2,
}
"""How often each target gets each fault: 30 in all."""


@dataclass
class Fault:
    """One fault: what was done to which processes, when, and what came of the flow run under way.

    Attributes:
        target, kind: as in `COUNTS`.
        during: `training`, `other stages` or `between runs`, once it has happened.
        flow_run: the id of the flow run under way, if any.
        outcome: the final state of that flow run, or `WENT ON` where a later fault hit the same one.
        recovered_s: seconds until the training that was due was complete in MLflow.
    """

    target: str
    kind: str
    during: str = ""
    flow_run: str = ""
    outcome: str = ""
    recovered_s: float = field(default=0.0)


def plan(random: Random, count: int) -> list[Fault]:
    """Return ``count`` faults in random order, of as many targets and kinds as possible."""
    left = dict(COUNTS)
    chosen: list[Fault] = []
    while len(chosen) < count:
        kinds = [key for key, number in left.items() if number]
        random.shuffle(kinds)
        for key in kinds[: count - len(chosen)]:
            left[key] -= 1
            chosen.append(Fault(*key))
        if not any(left.values()):
            left = dict(COUNTS)
    return chosen


def table(faults: list[Fault]) -> str:
    """Return a Markdown table: one row for each target and kind, with counts.

    A recovery ends when the training that is due is complete, so it includes the faults in between.
    """
    rows: dict[tuple[str, str], list[Fault]] = defaultdict(list)
    for each in faults:
        rows[(each.target, each.kind)].append(each)
    lines = [
        "| fault | times | while training | in other stages | between runs "
        "| its flow run went on | ended | longest recovery |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (target, kind), found in rows.items():
        name = f"{target} {'killed' if kind == 'killed' else 'away for a minute'}"
        during = [sum(x.during == where for x in found) for where in ("training", "other stages")]
        hit = [x for x in found if x.flow_run]
        went_on = sum(x.outcome in ("COMPLETED", "WENT ON") for x in hit)
        cells = [len(found), *during, len(found) - sum(during), went_on, len(hit) - went_on]
        longest = max(x.recovered_s for x in found)
        lines.append(f"| {name} | {' | '.join(map(str, cells))} | {longest:.0f} s |")
    return "\n".join(lines)
