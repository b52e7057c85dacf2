"""Plot of temporal sensitivity: gradient norms over the distance to earlier inputs."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from pipeline.plots.figure import COLOURS, new_figure, write_figure


def plot_temporal_sensitivity(path: Path, curves: Mapping[str, Sequence[float]], step_s: float) -> None:
    """Draw curves of temporal sensitivity, each relative to its own value at distance 0.

    Args:
        path: the PNG file to be written.
        curves: results of `measure_temporal_sensitivity` by name of the model.
        step_s: seconds from one step to the next, for the second axis.
    """
    figure = new_figure(height_px=560)
    axes = figure.subplots()
    for (name, curve), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        shown = np.maximum(np.asarray(curve) / max(curve[0], 1e-300), 1e-12)
        axes.semilogy(np.arange(len(shown)), shown, color=colour, linewidth=2, label=name)
    axes.set(xlabel="distance (steps)", ylabel="gradient norm, relative to the nearest step")
    axes.set_ylim(bottom=1e-8)
    axes.margins(x=0.01)
    axes.grid(alpha=0.25, linewidth=0.6)
    to_ms, to_steps = (lambda steps: steps * step_s * 1e3), (lambda ms: ms / step_s / 1e3)
    axes.secondary_xaxis("top", functions=(to_ms, to_steps)).set_xlabel("distance (ms)")
    axes.legend(frameon=False, title="temporal sensitivity")
    write_figure(figure, path)
