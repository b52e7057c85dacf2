"""How far back a trained model listens: a curve over the distance in steps, logged with every run.

It is what gates are for: through a tanh layer the gradient dies away within a few steps.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from models.temporal_sensitivity import sensitivity
from pipeline.data.batching import Plan, batches
from pipeline.data.dataset import Dataset, split_rows
from pipeline.data.splits import Split
from pipeline.model.trained_model import TrainedModel
from pipeline.plots.figure import COLOURS, new_figure, write_figure

FURTHEST_STEPS = 200
RECORDINGS = 32


def measure_reach(model: TrainedModel, dataset: Dataset, split: Split) -> list[float]:
    """Norm of the gradient of a step's log-likelihood by the inputs k steps earlier, k = 0, 1, ...

    A root mean square over the beginnings of the longest recordings (see `models.temporal_sensitivity`), as
    far as `FURTHEST_STEPS`, less where recordings are shorter.
    """
    data = split_rows(dataset, split, model.device)
    whole_steps = (data.length // model.framing.hop).cpu().numpy()
    longest = np.argsort(-whole_steps, kind="stable")[:RECORDINGS]
    span = max(1, min(whole_steps[longest[len(longest) // 2]], 3 * FURTHEST_STEPS // 2))
    chosen = longest[whole_steps[longest] >= min(span, whole_steps.max())][None]
    plan = Plan(chosen, np.zeros_like(chosen), np.ones_like(chosen, bool), int(span))
    (batch,) = batches(plan, data, model.framing, model.normaliser())
    furthest = min(FURTHEST_STEPS, int(span) - 1)
    return [float(x) for x in sensitivity(model.network, batch.inputs, batch.targets, furthest)]


def picture_reach(path: Path, curves: Mapping[str, Sequence[float]], step_s: float) -> None:
    """Draw curves of `measure_reach` by model, each relative to its own value at distance 0.

    ``step_s`` is the time from one step to the next, for the second axis.
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
    axes.legend(frameon=False, title="how far back a prediction listens")
    write_figure(figure, path)
