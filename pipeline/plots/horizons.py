"""Plot of negative log-likelihood against the number of steps ahead."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.plots.figure import COLOURS, new_figure, plain_text, write_figure

Horizons = Mapping[str, Mapping[str, Any]]
"""By steps ahead: `nats_per_step`, and those `of_targets`, as an evaluation has them."""


def horizon_curves(path: Path, models: Mapping[str, Horizons]) -> None:
    """Draw a line for each model over the horizon, on a logarithmic axis.

    Bars are one standard error of the difference to the first model, over the same targets.

    Args:
        path: the PNG file to be written.
        models: by name, figures by horizon in steps.
    """
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    figure = new_figure(height_px=520)
    axes = figure.subplots()
    first = next(iter(models.values()))
    for (name, scores), colour in zip(models.items(), cycle(COLOURS), strict=False):
        horizons = sorted(scores, key=int)
        axes.errorbar(
            [int(horizon) for horizon in horizons],
            [scores[horizon]["nats_per_step"] for horizon in horizons],
            yerr=[difference(scores[h], first[h])[1] for h in horizons],
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
    axes.set(xlabel="steps ahead, not conditioned on those between", ylabel="nats per step (lower is better)")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.legend(frameon=False)
    write_figure(figure, path)


def difference(ours: Mapping[str, Any], others: Mapping[str, Any]) -> tuple[float, float]:
    """Return mean and standard error of the difference in nats of two models at one horizon.

    Args:
        ours, others: figures at the horizon, with those of each target in `of_targets`.

    Returns:
        The mean, and the error; the error is 0 without two targets, or where the targets differ.
    """
    one, other = np.asarray(ours["of_targets"]), np.asarray(others["of_targets"])
    if one.shape != other.shape or len(one) < 2:
        return ours["nats_per_step"] - others["nats_per_step"], 0.0
    each = one - other
    return float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each)))
