"""The log-likelihood that is trained on, for one batch: a density, or the exact probability of integers."""

import math

from torch import Tensor

from models.distributions.distribution import Distribution
from models.distributions.mixture import Mixture
from pipeline.data.batching import Batch
from pipeline.features.normaliser import Normaliser


def log_likelihood(
    distribution: Distribution, batch: Batch, normaliser: Normaliser, discrete: bool
) -> Tensor:
    """Return the log-likelihood of each step (B, T), in nats of the normalised values.

    Args:
        distribution: distributions of batch shape (B, T).
        batch: targets, their mask and the integer samples.
        normaliser: gives the bounds of a sample's interval.
        discrete: use the probability of each integer sample's interval, divided by the interval's width. This
            is the average of the density over the interval, so both results have one unit.
    """
    if not discrete:
        return distribution.log_prob(batch.targets, batch.mask)
    assert isinstance(distribution, Mixture)
    log_prob = distribution.discrete_log_prob(batch.targets, *normaliser.interval(batch.stored), batch.mask)
    log_width = math.log(normaliser.unit / float(normaliser.std))
    values = batch.targets.shape[-1] if batch.mask is None else batch.mask.sum(-1)
    return log_prob - values * log_width
