"""How likely a model finds its own continuations, by which they are ranked."""

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.evaluation.nll import CHUNK_STEPS
from pipeline.generation.free_running import Rows
from pipeline.generation.free_running_torch import warm_state
from pipeline.model.trained_model import TrainedModel


@torch.inference_mode()
def take_nats(model: TrainedModel, heard: Rows, takes: Rows) -> NDArray[np.float64]:
    """Nats per step (B,) of continuations (B, N, width) of what was heard (M, width), all as stored.

    Minus the log-density at temperature 1, whatever they were drawn with; steps that are not whole are left
    out, and nats are those of the values normalised as in training.
    """
    frames, normaliser = model.framing, model.normaliser()
    heard = heard[len(heard) % frames.hop :]
    steps = takes.shape[1] // frames.hop
    state, window = warm_state(model, torch.from_numpy(np.ascontiguousarray(heard)))
    state = tuple(part.repeat_interleave(len(takes), 1) for part in state)
    rows = torch.from_numpy(np.ascontiguousarray(takes[:, : steps * frames.hop])).to(model.device)
    values = torch.cat([window.expand(len(takes), -1, -1), normaliser.normalise(rows)], 1)
    total = torch.zeros(len(takes), dtype=torch.float64, device=model.device)
    for first in range(0, steps, CHUNK_STEPS):
        count = min(CHUNK_STEPS, steps - first)
        begin = first * frames.hop
        stretch = values[:, begin : begin + frames.window + count * frames.hop]
        inputs, targets, _ = frames.split(stretch, torch.ones(stretch.shape[:2], dtype=torch.bool))
        distribution, state = model.network(inputs, state)
        total -= distribution.log_prob(targets).double().sum(1)
    return np.asarray(total.cpu().numpy() / max(steps, 1))
