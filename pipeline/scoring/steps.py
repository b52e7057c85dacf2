"""Negative log-likelihood of the steps of a recording, chunk by chunk.

The network runs over chunks with its state carried. The division into blocks or chunks therefore changes the
last digits only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import SAMPLE_BITS
from pipeline.coding.layout import Layout, layout_of
from pipeline.scoring.windows import Figures, StepScores

if TYPE_CHECKING:
    import torch

    from models.distributions.distribution import Distribution
    from pipeline.features.framing import Framing
    from pipeline.model.trained_model import TrainedModel

CHUNK_STEPS = 1000

Rows = NDArray[Any]


def step_scores(
    model: TrainedModel,
    rows: Iterable[Rows],
    chunk_steps: int = CHUNK_STEPS,
    layout: Layout | None = None,
) -> Iterator[StepScores]:
    """Yield the scores of consecutive steps.

    Args:
        model: any trained model.
        rows: stored rows (n, width), in blocks of any length.
        chunk_steps: steps that are computed at a time.
        layout: which 16-bit samples may occur; None for all.
    """
    scorer = _Scorer(model, layout or layout_of(SAMPLE_BITS, 0, b""))
    for stretch, exists in _chunks(rows, model.framing, chunk_steps):
        yield scorer.score(stretch, exists)


class _Scorer:
    """Scores of consecutive chunks of one recording."""

    def __init__(self, model: TrainedModel, layout: Layout) -> None:
        from models.adaptive.code_length import AdaptivePredictor
        from models.adaptive.step_features import StepFeatures

        self._forward, self._framing, self._normaliser = _forward(model), model.framing, model.normaliser()
        self._layout = layout
        # A head on adaptive predictions has their experts in its mixture, and needs none beside it.
        self._experts = self._steps = None
        if model.framing.adaptive:
            self._steps = StepFeatures(model.framing.hop, model.framing.window, layout.unused)
        else:
            self._experts = AdaptivePredictor(layout.cells, with_network=True)

    def score(self, stretch: Rows, exists: NDArray[np.bool_]) -> StepScores:
        """Return the scores of a chunk (see `_chunks`)."""
        import torch

        device = self._normaliser.mean.device
        with torch.inference_mode():
            stored = torch.from_numpy(stretch)[None].to(device)
            there = torch.from_numpy(exists)[None].to(device)
            normalised = self._normaliser.normalise(stored).masked_fill(~there[:, :, None], 0.0)
            inputs, targets, every = self._framing.split(normalised, there)
            mask = None if bool(every.all()) else every
            if self._steps is not None:
                window = self._framing.window
                own = self._steps.rows(stretch[window:, 0][exists[window:]])
                inputs = torch.cat([targets, torch.from_numpy(own)[None].to(device)], -1)
            distribution = self._forward(inputs)
            nats = -distribution.log_prob(targets, mask).double()
            bits = with_experts = None
            if self._normaliser.quantised:
                integers = stored[:, self._framing.window :].reshape(targets.shape)
                bits, with_experts = self._bits(distribution, targets, integers, mask)
            return StepScores(nats[0].cpu().numpy(), bits, every[0].sum(-1).cpu().numpy(), with_experts)

    def _bits(
        self,
        distribution: Distribution,
        targets: torch.Tensor,
        integers: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> tuple[Figures, Figures]:
        """Return the bits of each step (T,), under the network and with the experts beside it."""
        import torch

        from models.distributions.distribution import IntegerDistribution

        assert isinstance(distribution, IntegerDistribution)
        there = np.ones(targets.shape[1:], bool) if mask is None else mask[0].cpu().numpy()
        places = self._layout.places(integers[0].cpu().numpy()[there])
        bounds = np.broadcast_to(np.array([[[-np.inf]], [[np.inf]]]), (2, *there.shape)).copy()
        cells = self._layout.cells
        bounds[:, there] = cells.bounds[places], cells.bounds[places + 1]
        steps = torch.from_numpy(bounds[:, None] * self._layout.step).to(targets.device)
        lower, upper = self._normaliser.normalised_bounds(steps)
        log_prob = distribution.conditional_interval_log_prob(targets, lower, upper, mask)[0].cpu().numpy()
        bits = log_prob.sum(-1) / -math.log(2)
        if self._experts is None:
            return bits, bits
        mixed = np.zeros(log_prob.shape)
        mixed[there] = self._experts.bits(cells.values[places], np.exp(log_prob[there]))
        return bits, mixed.sum(-1)


def _forward(model: TrainedModel) -> Callable[[torch.Tensor], Distribution]:
    """Return a function of inputs (1, T, D_in) that carries the state: distributions of batch shape (1, T).

    The recurrence is compiled where possible: in torch, half of the time is overhead between steps.
    """
    import torch

    network, compiled = model.network, model.compiled
    state: Any = network.initial_state(1) if compiled is None else compiled.initial_state(1)

    def forward(inputs: torch.Tensor) -> Distribution:
        nonlocal state
        made: Distribution
        if compiled is None:
            made, state = network(inputs, state)
            return made
        hidden, state = compiled.hidden(inputs.cpu().numpy(), state)
        made = network.head(torch.from_numpy(hidden).to(inputs.device), inputs)
        return made

    return forward


def _chunks(
    rows: Iterable[Rows], framing: Framing, chunk_steps: int
) -> Iterator[tuple[Rows, NDArray[np.bool_]]]:
    """Yield stretches (window + T * hop, width) of rows, as `Framing.gather` cuts them, and which rows exist.

    T is ``chunk_steps``, less at the end. Memory holds one chunk and one block at most.
    """
    span, position = chunk_steps * framing.hop, -framing.window
    held: list[Rows] = []
    waiting = 0
    for block in rows:
        held = held or [np.zeros((framing.window, framing.width), block.dtype)]
        held.append(block)
        waiting += len(block)
        if waiting < span:
            continue
        joined = np.concatenate(held)
        while waiting >= span:
            stretch = joined[: framing.window + span]
            yield stretch, np.arange(position, position + len(stretch)) >= 0
            joined, waiting, position = joined[span:], waiting - span, position + span
        held = [joined.copy()]
    if waiting:
        missing = framing.steps(waiting) * framing.hop - waiting
        stretch = np.pad(np.concatenate(held), ((0, missing), (0, 0)))
        exists = np.arange(position, position + len(stretch)) >= 0
        exists[len(exists) - missing :] = False
        yield stretch, exists
