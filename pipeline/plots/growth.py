"""Plot of the growth of speed and memory of training over the sizes of model, batch and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.plots.figure import COLOURS, new_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_PX = 400
LABELS = {
    "hidden_size": "hidden units",
    "bptt_steps": "steps of an update",
    "lanes": "sequences of an update",
    "hours": "hours of audio",
}


def plot_growth(path: Path, figures: Mapping[str, Any]) -> None:
    """Draw steps per second above and private memory below, one column for each axis.

    Args:
        path: the PNG file to be written.
        figures: result of `pipeline.benchmarks.growth.axes.bench_growth`.
    """
    figure = new_figure(height_px=80 + 2 * PANEL_PX)
    axes = figures["axes"]
    panels = figure.subplots(2, len(axes), squeeze=False, sharex="col", sharey="row")
    for (name, rows), above, below in zip(axes.items(), panels[0], panels[1], strict=True):
        _draw_speed(above, name, rows)
        _draw(below, name, rows, "private_mib", "private memory", COLOURS[3], "o-")
        below.set_xlabel(LABELS[name])
        below.set_ylim(bottom=0)
    panels[0, 0].set_ylabel("steps per second")
    panels[1, 0].set_ylabel("private memory (MiB)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(figures["what"], fontsize="medium")
    write_figure(figure, path)


def _draw_speed(panel: Axes, name: str, rows: Sequence[Mapping[str, float]]) -> None:
    """Draw the measured speed and what the machine's products and memory allow."""
    panel.set_yscale("log")
    _draw(panel, name, rows, "product_limit", "limit of products", COLOURS[6], "--")
    _draw(panel, name, rows, "memory_limit", "limit of memory, weights uncached", COLOURS[4], ":")
    _draw(panel, name, rows, "steps_per_second", "measured", COLOURS[0], "o-")


def _draw(
    panel: Axes,
    name: str,
    rows: Sequence[Mapping[str, float]],
    figure: str,
    label: str,
    colour: str,
    style: str,
) -> None:
    values = [row[name] for row in rows]
    panel.set_xscale("log")
    panel.plot(values, [row[figure] for row in rows], style, color=colour, label=label)
    panel.grid(alpha=0.25, linewidth=0.6)
