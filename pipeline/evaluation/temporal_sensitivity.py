"""How far back a trained model listens: a curve over the distance in steps, logged with every run.

It is what gates are for: through a tanh layer the gradient dies away within a few steps.
"""

import numpy as np

from models.temporal_sensitivity import sensitivity
from pipeline.config.types import Split
from pipeline.data.batching import Plan, batches
from pipeline.data.dataset import Dataset, split_rows
from pipeline.model.trained_model import TrainedModel

MAX_LAG_STEPS = 200
RECORDINGS = 32


def measure_temporal_sensitivity(model: TrainedModel, dataset: Dataset, split: Split) -> list[float]:
    """Norm of the gradient of a step's log-likelihood by the inputs k steps earlier, k = 0, 1, ...

    A root mean square over the beginnings of the longest recordings (see `models.temporal_sensitivity`), as
    far as `MAX_LAG_STEPS`, less where recordings are shorter.
    """
    data = split_rows(dataset, split, model.device)
    whole_steps = (data.length // model.framing.hop).cpu().numpy()
    longest = np.argsort(-whole_steps, kind="stable")[:RECORDINGS]
    span = max(1, min(whole_steps[longest[len(longest) // 2]], 3 * MAX_LAG_STEPS // 2))
    chosen = longest[whole_steps[longest] >= min(span, whole_steps.max())][None]
    plan = Plan(chosen, np.zeros_like(chosen), np.ones_like(chosen, bool), int(span))
    (batch,) = batches(plan, data, model.framing, model.normaliser())
    furthest = min(MAX_LAG_STEPS, int(span) - 1)
    return [float(x) for x in sensitivity(model.network, batch.inputs, batch.targets, furthest)]
