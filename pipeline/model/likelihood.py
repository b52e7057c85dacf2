"""The log-likelihood that is trained on, for one batch: a density, or the exact probability of integers."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from models.distributions.distribution import Distribution, IntegerDistribution, Steps
from models.gpu_kernels.heads import has_kernel, loss_of_head
from models.predictor import Predictor, hidden_vectors
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
    (found,) = training_losses([network], [batch], [state], normaliser, discrete, [steps])
    return found


def training_losses(
    networks: Sequence[Network],
    batches: Sequence[Batch],
    states: Sequence[State],
    normaliser: Normaliser,
    discrete: bool,
    steps: Sequence[float | Tensor],
) -> list[tuple[Tensor, State]]:
    """Return what `training_loss` returns for each of some networks of one size, in one pass where it can.

    Args:
        networks: with recurrent layers of one cell and one number.
        batches, states, steps: of each network.
        normaliser, discrete: see `training_loss`.
    """
    from models.fused_heads.choice import compiled_head  # compiles, which only training needs
    from models.fused_heads.loss import Scored, log_likelihood_sums

    calls = list(zip(networks, batches, states, steps, strict=True))
    heads = [compiled_head(network.head) for network in networks]
    if any(head is None for head in heads):
        return [_loss_of_one(*call, normaliser, discrete) for call in calls]
    found = _hidden_vectors(networks, [batch.inputs for batch in batches], states)
    scored = [
        Scored(
            head,
            hidden.float(),
            _compared(batch, inputs, normaliser, discrete),
            -1.0 if isinstance(count, Tensor) else -1 / count,
        )
        for head, (hidden, inputs, _), batch, count in zip(heads, found, batches, steps, strict=True)
        if head is not None
    ]
    with torch.autocast(found[0][0].device.type, enabled=False):
        sums = log_likelihood_sums(scored)
    losses = []
    for loss, (_, _, after), (_, batch, _, count) in zip(sums, found, calls, strict=True):
        mean = loss / count if isinstance(count, Tensor) else loss
        losses.append((_with_width(mean, batch, normaliser, discrete, count), after))
    return losses


def _hidden_vectors(
    networks: Sequence[Network], inputs: Sequence[Tensor], states: Sequence[State]
) -> list[tuple[Tensor, Tensor, State]]:
    predictors = [network for network in networks if isinstance(network, Predictor)]
    if len(predictors) == len(networks):
        return hidden_vectors(predictors, inputs, states)
    calls = zip(networks, inputs, states, strict=True)
    return [network.hidden_vectors(given, state) for network, given, state in calls]


def _loss_of_one(
    network: Network,
    batch: Batch,
    state: State,
    steps: float | Tensor,
    normaliser: Normaliser,
    discrete: bool,
) -> tuple[Tensor, State]:
    """Return the loss and the state of a network whose head has no compiled loops for the CPU."""
    if not has_kernel(network.head, batch.inputs.device):
        distribution, after = network(batch.inputs, state)
        return -log_likelihood(distribution, batch, normaliser, discrete).sum() / steps, after
    hidden, inputs, after = network.hidden_vectors(batch.inputs, state)
    with torch.autocast(hidden.device.type, enabled=False):
        count = steps if isinstance(steps, Tensor) else hidden.new_full((), steps)
        loss = loss_of_head(
            network.head, hidden.float(), _compared(batch, inputs, normaliser, discrete), count
        )
    return _with_width(loss, batch, normaliser, discrete, steps), after


def _compared(batch: Batch, inputs: Tensor, normaliser: Normaliser, discrete: bool) -> Steps:
    return Steps(batch.targets, batch.mask, inputs, batch.intervals(normaliser) if discrete else None)


def _with_width(
    loss: Tensor, batch: Batch, normaliser: Normaliser, discrete: bool, steps: float | Tensor
) -> Tensor:
    """Return the loss of a head in nats of the normalised values; see `log_likelihood`."""
    return loss + batch.values * _log_width(normaliser) / steps if discrete else loss


def _log_width(normaliser: Normaliser) -> float:
    """Return the logarithm of a quantisation step, in normalised values."""
    return math.log(normaliser.interval_width)
