"""Temporal sensitivity of a trained model: a curve over the lag in steps, logged with every run.

Gates serve to keep the gradient. Through a tanh layer it vanishes within a few steps.
"""

import numpy as np

from models.temporal_sensitivity import sensitivity
from pipeline.config.types import Split
from pipeline.data.batching import batches, beginnings_plan
from pipeline.data.dataset import Dataset, split_rows
from pipeline.model.trained_model import TrainedModel

MAX_LAG_STEPS = 200
RECORDINGS = 32


def measure_temporal_sensitivity(model: TrainedModel, dataset: Dataset, split: Split) -> list[float]:
    """Return the gradient norm of a step's log-likelihood with respect to the inputs k steps earlier.

    The result is a root mean square over the beginnings of the longest recordings (see
    `models.temporal_sensitivity`), for k = 0, 1, ... up to `MAX_LAG_STEPS`, less for shorter recordings.

    Args:
        model: the trained model.
        dataset: a prepared data set.
        split: the split whose recordings are used.

    Raises:
        UserError: the split is empty.
    """
    data = split_rows(dataset, split, model.device)
    whole_steps = (data.length // model.framing.hop).cpu().numpy()
    longest = np.argsort(-whole_steps, kind="stable")[:RECORDINGS]
    span = max(1, min(whole_steps[longest[len(longest) // 2]], 3 * MAX_LAG_STEPS // 2))
    chosen = longest[whole_steps[longest] >= min(span, whole_steps.max())]
    plan = beginnings_plan(chosen, int(span))
    (batch,) = batches(plan, data, model.framing, model.normaliser())
    furthest = min(MAX_LAG_STEPS, int(span) - 1)
    # Before what a network on adaptive predictions reads stand the outputs themselves.
    fixed = batch.inputs.shape[-1] - model.inputs_seen if model.framing.adaptive else 0
    found = sensitivity(model.network, batch.inputs, batch.targets, furthest, fixed=fixed)
    return [float(x) for x in found]
