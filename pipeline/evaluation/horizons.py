"""Negative log-likelihood of a step h steps ahead, given only the context before the steps in between.

The state is computed teacher-forced up to h - 1 steps before a target step. The model then runs freely along
S paths. The target's rows have the density p(rows | path) on each path. The mean over the paths estimates
their density given the context alone:

    nats(h) = -log(1/S sum_s p(target rows | path s))

All horizons have the same targets and differ only in the context. At h = 1 the figure is the ordinary nats of
the step. Further ahead the estimate is too high on average, by Jensen's inequality: the expected logarithm of
an estimate is below the logarithm of its expectation. The bias decreases as S grows. It is larger for models
with narrow densities, since few paths then come near the target. Compare models at the same S, and check two
values of S.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.encoder_decoder.encoder_decoder import EncoderDecoder
from pipeline.data.dataset import SplitRows
from pipeline.errors import UserError
from pipeline.evaluation.nll import CHUNK_STEPS
from pipeline.model.trained_model import TrainedModel

LANES = 512
"""Paths that are computed in parallel, which limits the memory."""


@dataclass(frozen=True)
class HorizonScore:
    """Negative log-likelihood at one horizon, over all targets.

    Attributes:
        nats: mean nats of a whole step, D normalised values.
        standard_error: standard error of ``nats``; NaN with a single target. It treats targets as
            independent, although those of one recording are not quite.
        of_targets: nats of each target, in the same order for every model. Differences between models are
            far smaller than those between targets.
    """

    nats: float
    standard_error: float
    of_targets: tuple[float, ...]


@torch.inference_mode()
def horizon_nats(
    model: TrainedModel,
    data: SplitRows,
    horizons: Sequence[int],
    starts: int,
    context_steps: int,
    paths: int,
    seed: int,
) -> dict[int, HorizonScore]:
    """Score target steps at several horizons, each after the same length of context.

    Args:
        model: in evaluation mode. An encoder-decoder begins a block at the first step that it draws.
        data: held-out recordings; those too short for the context and the furthest horizon are left out.
        horizons: steps ahead; 1 is the next step.
        starts: number of stretches, drawn without repetition; all of them where there are fewer.
        context_steps: true steps before each stretch's draws, from the initial state.
        paths: number of paths, S.
        seed: seed of the stretches and the draws. Of the model, the stretches depend on its hop only.

    Returns:
        The score of each horizon.

    Raises:
        UserError: no recording is long enough, or the context ends inside an encoder-decoder's block.
    """
    if isinstance(model.network, EncoderDecoder) and context_steps % model.network.decode_steps:
        raise UserError(
            f"a context of {context_steps} steps ends inside a block of the encoder-decoder; "
            f"use a multiple of {model.network.decode_steps}"
        )
    length = context_steps + max(horizons)
    recording, first_step = stretches(model.framing.hop, data, starts, length, seed)
    generator = torch.Generator(model.device).manual_seed(seed)
    group = max(1, LANES // paths)
    groups = zip(recording.split(group), first_step.split(group), strict=True)
    nats = torch.cat(
        [_nats(model, data, chosen, horizons, context_steps, paths, generator) for chosen in groups]
    )
    error = nats.std(0) / math.sqrt(len(nats)) if len(nats) > 1 else torch.full_like(nats[0], math.nan)
    return {
        horizon: HorizonScore(float(column.mean()), float(std), tuple(column.tolist()))
        for horizon, column, std in zip(horizons, nats.unbind(1), error, strict=True)
    }


def stretches(hop: int, data: SplitRows, starts: int, steps: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw stretches of whole steps without repetition.

    Args:
        hop: rows of a step.
        data: rows of the split.
        starts: number of stretches; all are drawn if there are fewer.
        steps: steps of a stretch.
        seed: of the random draw.

    Returns:
        Recording and first step of each stretch, both (starts,).

    Raises:
        UserError: no recording has that many steps.
    """
    possible = (data.length.cpu().numpy() // hop - steps + 1).clip(0)
    ends = np.cumsum(possible)
    if not ends[-1]:
        raise UserError(
            f"no recording has {steps} steps of {hop} rows, the context and the furthest horizon together; "
            "shorten one of them"
        )
    total = int(ends[-1])
    drawn = np.sort(np.random.default_rng(seed).choice(total, min(starts, total), replace=False))
    recording = np.searchsorted(ends, drawn, side="right")
    first_step = drawn - (ends - possible)[recording]
    device = data.rows.device
    return torch.from_numpy(recording).to(device), torch.from_numpy(first_step).to(device)


def _nats(
    model: TrainedModel,
    data: SplitRows,
    chosen: tuple[Tensor, Tensor],
    horizons: Sequence[int],
    context_steps: int,
    paths: int,
    generator: torch.Generator,
) -> Tensor:
    """Return nats (targets, horizons), float64, of the last steps of stretches that begin at ``chosen``."""
    frames, normaliser, furthest = model.framing, model.normaliser(), max(horizons)
    recording, first_step = chosen
    stretch, exists = frames.gather(
        data.rows, data.offset[recording], data.length[recording], first_step, context_steps + furthest
    )
    exists = exists.to(model.device)
    values = normaliser.normalise(stretch.to(model.device)).masked_fill(~exists[:, :, None], 0.0)
    inputs, targets, _ = frames.split(values, exists)
    context = [inputs[:, furthest - horizon :][:, : context_steps + 1] for horizon in horizons]
    columns = [
        _nats_ahead(model, before, targets[:, -1], horizon, paths, generator)
        for before, horizon in zip(context, horizons, strict=True)
    ]
    return torch.stack(columns, 1)


def _nats_ahead(
    model: TrainedModel, inputs: Tensor, truth: Tensor, horizon: int, paths: int, generator: torch.Generator
) -> Tensor:
    """Return nats (B,), float64, of ``truth`` (B, D), which lies ``horizon`` steps after the context.

    ``inputs`` (B, context + 1, D_in) are those of the context's steps and of the next step.
    """
    frames, normaliser, network = model.framing, model.normaliser(), model.network
    state = network.initial_state(len(inputs))
    for chunk in inputs[:, :-1].split(CHUNK_STEPS, 1):
        state = network.advance(chunk, state)
    state = tuple(part.repeat_interleave(paths, 1) for part in state)
    window = inputs[:, -1].repeat_interleave(paths, 0)
    for _ in range(horizon - 1):
        distribution, state = network.step(window, state)
        drawn = distribution.sample(1.0, generator).view(-1, frames.hop, frames.width)
        rows = normaliser.normalise(normaliser.restore(drawn))
        window = torch.cat([window, rows.flatten(1)], 1)[:, -frames.input_size :]
    distribution, _ = network.step(window, state)
    log_prob = distribution.log_prob(truth.repeat_interleave(paths, 0))
    return math.log(paths) - torch.logsumexp(log_prob.double().view(-1, paths), 1)
