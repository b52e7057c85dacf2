"""The picture of how a model's knowledge fades: nats of a step against how far ahead it lies."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

from pipeline.canvas import COLOURS, new_figure, plain_text, write_figure

Horizons = Mapping[str, Mapping[str, float]]
"""By steps ahead: `nats_per_step` and their `standard_error`, as an evaluation has them."""


def horizon_curves(path: Path, models: Mapping[str, Horizons]) -> None:
    """A line for each named model over the horizon, on a logarithmic axis; bars of one standard error."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    figure = new_figure(height_px=520)
    axes = figure.subplots()
    for (name, scores), colour in zip(models.items(), cycle(COLOURS), strict=False):
        horizons = sorted(scores, key=int)
        axes.errorbar(
            [int(horizon) for horizon in horizons],
            [scores[horizon]["nats_per_step"] for horizon in horizons],
            yerr=[scores[horizon]["standard_error"] for horizon in horizons],
            color=colour,
            label=plain_text(name),
            linewidth=2.2,
            marker="o",
            markersize=5,
            capsize=3,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sorted({int(h) for scores in models.values() for h in scores})))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set(xlabel="steps ahead, without hearing those between", ylabel="nats per step (lower is better)")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.legend(frameon=False)
    write_figure(figure, path)
