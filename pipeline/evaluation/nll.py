"""Negative log-likelihood of recordings: log-density and exact probability, summed over each recording.

Each recording runs in one lane, with its state carried from chunk to chunk. The result is that of one long
forward pass, in flat memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from models.distributions.distribution import Distribution, IntegerDistribution
from models.recurrent.stack import keep_state_where
from pipeline.common.progress import shown
from pipeline.data.batching import Batch, batches, whole_plan
from pipeline.data.dataset import SplitRows
from pipeline.features.framing import Framing
from pipeline.features.normaliser import Normaliser
from pipeline.model.build import Network
from pipeline.model.likelihood import log_likelihood

LANES = {"cpu": 32, "cuda": 256}
"""Recordings that run in parallel, by the type of the device. On a GPU more of them cost hardly more time."""

CHUNK_STEPS = 200


@dataclass(frozen=True)
class Scores:
    """Sums over each recording, float64 (recordings,).

    Attributes:
        nats: minus the natural log-density of the normalised values.
        bits: minus log2 of the exact probability of the integer samples; None for other inputs, or where
            it was not computed.
        values: number of predicted values.
        target_size: values of a whole step, D.
    """

    nats: Tensor
    bits: Tensor | None
    values: Tensor
    target_size: int

    @property
    def nats_per_step(self) -> float:
        """Mean over all steps of all recordings, the figure of Chung et al. (2014); partial steps in part."""
        return float(self.nats.sum() / self.values.sum() * self.target_size)

    @property
    def bits_per_sample(self) -> float | None:
        """Mean code length of an integer sample under the model."""
        return None if self.bits is None else float(self.bits.sum() / self.values.sum())


@torch.inference_mode()
def score(
    network: Network,
    data: SplitRows,
    framing: Framing,
    normaliser: Normaliser,
    exact: bool,
    lanes: int | None = None,
    chunk_steps: int = CHUNK_STEPS,
    visible: bool = False,
    discrete: bool = False,
) -> Scores:
    """Score every recording of a split, each from the initial state.

    Args:
        network: its training mode is restored afterwards.
        data: rows of the split.
        framing: division of rows into steps.
        normaliser: normalisation of the rows.
        exact: compute the code length of integer samples too, which takes several times longer.
        lanes: recordings that run in parallel; None takes the number of `LANES`.
        chunk_steps: steps of a forward pass.
        visible: show a progress bar.
        discrete: compute nats from exact probabilities, not from the density.

    Returns:
        Sums over each recording, in nats and bits.
    """
    device = normaliser.mean.device
    count = len(data.length)
    sums = torch.zeros(2, count + 1, dtype=torch.float64, device=device)  # the last column is for empty lanes
    was_training = network.training
    network.eval()
    exact = exact and normaliser.quantised
    for batch, distribution in predictions(network, data, framing, normaliser, lanes, chunk_steps, visible):
        column = torch.where(batch.recording >= 0, batch.recording, count)
        nats = -log_likelihood(distribution, batch, normaliser, discrete).double()
        if batch.mask is not None:  # a step after the end has probability 1, except for rounding
            nats = nats.masked_fill(~batch.mask.any(-1), 0.0)
        sums[0].index_add_(0, column, nats.sum(1))
        exact = exact and isinstance(
            distribution, IntegerDistribution
        )  # of other heads only the density is known
        if exact:
            lower, upper = batch.intervals(normaliser)
            bits = code_length_bits(distribution, batch.targets, lower, upper, batch.mask)
            sums[1].index_add_(0, column, bits.sum(1))
    network.train(was_training)
    nats, bits = sums[:, :count]
    values = framing.values(data.length).to(device, torch.float64)
    return Scores(nats, bits if exact else None, values, framing.target_size)


def predictions(
    network: Network,
    data: SplitRows,
    framing: Framing,
    normaliser: Normaliser,
    lanes: int | None = None,
    chunk_steps: int = CHUNK_STEPS,
    visible: bool = False,
) -> Iterator[tuple[Batch, Distribution]]:
    """Run the network teacher-forced over every recording, each from the initial state.

    Args:
        network, data, framing, normaliser, lanes, chunk_steps, visible: as in `score`.

    Yields:
        Each batch of chunks, and the distributions (B, T) of its steps given all previous ones.
    """
    lanes = lanes or LANES[normaliser.mean.device.type]
    plan = whole_plan(framing.steps(data.length).cpu().numpy(), lanes, chunk_steps)
    state = network.initial_state(plan.lanes)
    for batch in shown(batches(plan, data, framing, normaliser), len(plan), "score", visible):
        fresh = network.initial_state(len(batch.keep))
        distribution, state = network(batch.inputs, keep_state_where(state, batch.keep, fresh))
        yield batch, distribution


def code_length_bits(
    distribution: Distribution,
    values: Tensor,
    lower: Tensor,
    upper: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the exact code length (...) in bits, float64, of integer samples under a mixture.

    Args:
        distribution: mixtures of batch shape (...).
        values: the normalised samples, (..., D).
        lower, upper: normalised bounds of the samples' intervals, (..., D) float64.
        mask: (..., D); samples where it is false are left out. None includes all.
    """
    assert isinstance(distribution, IntegerDistribution)
    return distribution.interval_log_prob(values, lower, upper, mask) / -math.log(2)
