"""The table of a search, and its description in MLflow."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipeline.common.text import duration
from pipeline.tracking.pages.run_page import plain

FIGURES = ("nats per step", "bits per sample", "best epoch", "time", "end")


def columns(space: Mapping[str, Any]) -> list[str]:
    """Return the headings of the table: the trial, the searched settings, and `FIGURES`."""
    return ["trial", *space, *FIGURES]


def best_first(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return trials in order of their validation loss: finished ones, then pruned ones, then failed ones."""
    states = ("finished", "pruned", "failed")
    worst = float("inf")
    return sorted(
        trials,
        key=lambda trial: (
            states.index(trial["state"]),
            trial.get("valid_nats_per_step", worst),
            trial["number"],
        ),
    )


def rows(space: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the table of a search by `columns`, the best trial first.

    Args:
        space: the searched settings.
        trials: records of trials, see `pipeline.tracking.parents.search_folder`.
    """
    return [
        [
            str(trial["number"]),
            *(setting_text(trial["settings"].get(key)) for key in space),
            _figure(trial.get("valid_nats_per_step"), 4),
            _figure(trial.get("valid_bits_per_sample"), 3),
            f"{trial['best_epoch']} of {trial['epochs']}" if "best_epoch" in trial else "",
            duration(trial["elapsed_s"]),
            trial["state"] if trial["state"] != "failed" else end_text(trial),
        ]
        for trial in best_first(trials)
    ]


def end_text(trial: Mapping[str, Any]) -> str:
    """Return how a trial ended."""
    if trial["state"] == "pruned":
        return f"pruned after epoch {trial['epochs']}"
    if trial["state"] == "failed":
        return f"failed ({trial.get('reason', 'no reason is known')})"
    return f"trained for {trial['epochs']} {'epoch' if trial['epochs'] == 1 else 'epochs'}"


def setting_text(value: Any) -> str:
    """Return the value of a setting in a table: numbers with four significant digits.

    >>> setting_text(0.00123456), setting_text(227), setting_text("gru"), setting_text(None)
    ('0.001235', '227', 'gru', 'null')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def space_text(distribution: Mapping[str, Any]) -> str:
    """Return a distribution in words.

    >>> space_text({"kind": "log-uniform", "low": 1e-5, "high": 1e-2})
    'log-uniform, 1e-05 to 0.01'
    """
    if distribution["kind"] == "choices":
        return f"one of {', '.join(map(setting_text, distribution['values']))}"
    kind = "log-uniform integer" if distribution.get("log") else distribution["kind"]
    return f"{kind}, {setting_text(distribution['low'])} to {setting_text(distribution['high'])}"


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def describe_search(record: Mapping[str, Any], runs: Mapping[str, str], picture: str, own_run: str) -> str:
    """Return the Markdown description of a search.

    Args:
        record: content of `search.json`.
        runs: addresses of the pages of the trials' runs by label.
        picture: file name of the picture among the artifacts.
        own_run: MLflow's id of the search.
    """
    space, trials = record["space"], record["trials"]
    lines = [
        f"**{plain(record['name'])}**: {len(trials)} of {record['trials_wanted']} trials, drawn by "
        f"{plain(record['sampler'])}. Data set `{record['fingerprint']}`.",
        "",
        *(f"- {plain(key)}: {plain(space_text(found))}" for key, found in space.items()),
        "",
        f"| {' | '.join(map(plain, columns(space)))} |",
        f"|{'---|' * len(columns(space))}",
    ]
    for cells, trial in zip(rows(space, trials), best_first(trials), strict=True):
        number = plain(cells[0])
        if address := runs.get(trial["label"]):
            number = f"[{number}]({address})"
        if trial["label"] == record["best"]:
            number = f"**{number}**"
        lines.append(f"| {' | '.join([number, *map(plain, cells[1:])])} |")
    address = f"get-artifact?path={quote(picture)}&run_uuid={own_run}"
    return "\n".join([*lines, "", f"![validation against each setting]({address})"])
