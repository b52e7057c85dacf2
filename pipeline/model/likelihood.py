"""The log-likelihood that is trained on, for one batch: a density, or the exact probability of integers."""

import math

import torch
from torch import Tensor

from models.distributions.distribution import Distribution, IntegerDistribution, Steps
from models.gpu_kernels.heads import has_kernel, loss_of_head
from models.recurrent.stack import State
from pipeline.data.batching import Batch
from pipeline.features.normaliser import Normaliser
from pipeline.model.build import Network


def log_likelihood(
    distribution: Distribution, batch: Batch, normaliser: Normaliser, discrete: bool
) -> Tensor:
    """Return the log-likelihood of each step (B, T), in nats of the normalised values.

    Args:
        distribution: distributions of batch shape (B, T).
        batch: targets, their mask and the integer samples.
        normaliser: gives the bounds of a sample's interval.
        discrete: use the probability of each integer sample's interval, divided by a quantisation step. Where
            a recording uses all bits, this is the average of the density over the interval. So both results
            have one unit.
    """
    if not discrete:
        return distribution.log_prob(batch.targets, batch.mask)
    assert isinstance(distribution, IntegerDistribution)
    log_prob = distribution.discrete_log_prob(batch.targets, *batch.intervals(normaliser), batch.mask)
    log_width = _log_width(normaliser)
    values = batch.targets.shape[-1] if batch.mask is None else batch.mask.sum(-1)
    return log_prob - values * log_width


def training_loss(
    network: Network,
    batch: Batch,
    state: State,
    normaliser: Normaliser,
    discrete: bool,
    steps: float | Tensor,
) -> tuple[Tensor, State]:
    """Return the negative log-likelihood of a batch per step, in nats, with its graph.

    The head is computed in one compiled pass where it has one: that of `models.fused_heads` on a CPU, that of
    `models.gpu_kernels` on a GPU.

    Args:
        network: the network that is trained.
        batch: inputs, targets, their mask and the integer samples.
        state: state of the recurrence before the batch.
        normaliser: gives the bounds of a sample's interval.
        discrete: see `log_likelihood`.
        steps: number of steps that the sum is divided by.

    Returns:
        The loss, and the state after the batch.
    """
    from models.fused_heads.choice import compiled_head  # compiles, which only training needs
    from models.fused_heads.loss import log_likelihood_sum

    head, by_kernel = compiled_head(network.head), has_kernel(network.head, batch.inputs.device)
    if head is None and not by_kernel:
        distribution, after = network(batch.inputs, state)
        return -log_likelihood(distribution, batch, normaliser, discrete).sum() / steps, after
    hidden, inputs, after = network.hidden_vectors(batch.inputs, state)
    bounds = batch.intervals(normaliser) if discrete else None
    compared = Steps(batch.targets, batch.mask, inputs, bounds)
    with torch.autocast(hidden.device.type, enabled=False):
        if head is None:
            count = steps if isinstance(steps, Tensor) else hidden.new_full((), steps)
            loss = loss_of_head(network.head, hidden.float(), compared, count)
        elif isinstance(steps, Tensor):
            loss = log_likelihood_sum(head, hidden.float(), compared, -1) / steps
        else:
            loss = log_likelihood_sum(head, hidden.float(), compared, -1 / steps)
    return loss + batch.values * _log_width(normaliser) / steps if discrete else loss, after


def _log_width(normaliser: Normaliser) -> float:
    """Return the logarithm of a quantisation step, in normalised values."""
    return math.log(normaliser.interval_width)
