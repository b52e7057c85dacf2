"""A model's figures for single recordings and for their groups, the worst first."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_ROWS = 50
FIGURES = ("bits_per_sample", "nats_per_step")


@dataclass(frozen=True)
class FigureTable:
    """The first rows of a table, the worst first.

    Attributes:
        rows: each with `name`, `seconds`, `bits_per_sample` (None unless samples are modelled) and
            `nats_per_step`; of a group also `recordings`, how many it has.
        more: how many better rows are left out.
    """

    rows: list[dict[str, Any]]
    more: int


def table_of_recordings(found: Sequence[dict[str, Any]]) -> FigureTable:
    """Return the figures of each recording, as `pipeline.evaluation.evaluate.evaluate` gives them."""
    return _worst_first(list(found))


def table_of_groups(found: Sequence[dict[str, Any]]) -> FigureTable | None:
    """Return the figures of each group of recordings, such as a speaker; None where each has only one."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for recording in found:
        groups[recording["group"]].append(recording)
    if len(groups) == len(found):
        return None
    return _worst_first([_sum_up(name, recordings) for name, recordings in groups.items()])


def _sum_up(name: str, recordings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the average over the predicted values of all recordings, as for a whole split."""
    values = sum(each["values"] for each in recordings)
    means = {
        figure: None
        if recordings[0][figure] is None
        else sum(each[figure] * each["values"] for each in recordings) / values
        for figure in FIGURES
    }
    seconds = sum(each["seconds"] for each in recordings)
    return {"name": name, "recordings": len(recordings), "seconds": seconds, **means}


def _worst_first(rows: list[dict[str, Any]]) -> FigureTable:
    def figure(row: dict[str, Any]) -> float:
        bits = row["bits_per_sample"]
        return float(row["nats_per_step"] if bits is None else bits)

    ordered = sorted(rows, key=figure, reverse=True)
    return FigureTable(ordered[:MOST_ROWS], max(0, len(ordered) - MOST_ROWS))
