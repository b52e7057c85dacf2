"""Plot of a search: the validation loss of its trials against each setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.plots.figure import COLOURS, new_figure, plain_text, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FINISHED_COLOUR, BEST_COLOUR, PRUNED_COLOUR = COLOURS[0], COLOURS[1], "#9AA5AD"
PANELS_PER_ROW = 3
ROW_PX = 420


@dataclass(frozen=True)
class Point:
    """A trial.

    Attributes:
        number: of the trial.
        settings: values of the searched settings.
        loss: lowest validation loss, in the unit of the picture.
        pruned: whether the trial was ended early.
    """

    number: int
    settings: Mapping[str, Any]
    loss: float
    pruned: bool


def plot_search(path: Path, points: Sequence[Point], scales: Mapping[str, str], unit: str) -> None:
    """Draw the validation loss against each setting, one panel for each.

    Finished trials are filled circles with their numbers, the best one in another colour, and pruned trials
    open circles. Losses that are not finite are left out.

    Args:
        path: the PNG file to be written.
        points: trials with a validation loss.
        scales: `linear`, `log` or `choices` by setting.
        unit: unit of the losses.
    """
    drawn = [point for point in points if np.isfinite(point.loss)]
    best = min((point for point in drawn if not point.pruned), key=lambda point: point.loss, default=None)
    columns = min(len(scales), PANELS_PER_ROW)
    rows = -(-len(scales) // columns)
    figure = new_figure(height_px=60 + ROW_PX * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, (key, scale) in zip(panels.flat, scales.items(), strict=False):
        _draw(axes, drawn, best, key, scale)
    for axes in panels.flat[len(scales) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel(plain_text(f"validation loss ({unit})"))
    handles, labels = panels[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper right", ncols=len(handles), frameon=False)
    write_figure(figure, path)


def _draw(axes: Axes, points: Sequence[Point], best: Point | None, key: str, scale: str) -> None:
    """Draw one panel."""
    places = _places(points, key, scale)
    kinds = {
        "finished": ([p for p in points if not p.pruned and p is not best], FINISHED_COLOUR, FINISHED_COLOUR),
        "pruned": ([p for p in points if p.pruned], "none", PRUNED_COLOUR),
        "best": ([p for p in points if p is best], BEST_COLOUR, BEST_COLOUR),
    }
    for label, (chosen, face, edge) in kinds.items():
        if chosen:
            x, y = [places[p.number] for p in chosen], [p.loss for p in chosen]
            axes.scatter(x, y, s=44, facecolors=face, edgecolors=edge, linewidths=1.4, label=label, zorder=3)
    for point in points:
        at = (places[point.number], point.loss)
        axes.annotate(str(point.number), at, (6, 4), textcoords="offset points", fontsize=8, color="#4D4D4D")
    if scale == "log":
        axes.set_xscale("log")
    if scale == "choices":
        values = _choices(points, key)
        axes.set_xticks(range(len(values)), [plain_text(value) for value in values])
        axes.set_xlim(-0.5, max(0.5, len(values) - 0.5))
    axes.set_xlabel(plain_text(key))
    axes.grid(alpha=0.25, linewidth=0.6)


def _places(points: Sequence[Point], key: str, scale: str) -> dict[int, float]:
    """Return where each trial stands on the axis of a setting."""
    if scale != "choices":
        return {point.number: float(point.settings[key]) for point in points}
    order = {value: place for place, value in enumerate(_choices(points, key))}
    return {point.number: float(order[str(point.settings[key])]) for point in points}


def _choices(points: Sequence[Point], key: str) -> list[str]:
    """Return the values that trials have of a setting, in the order of the trials."""
    in_order = sorted(points, key=lambda point: point.number)
    return list(dict.fromkeys(str(point.settings[key]) for point in in_order))
