"""The exact probability of integer samples, as `Mixture.interval_log_prob`, in less time for many components.

The two cumulative probabilities of an interval take longer than all else. Most components of a mixture are so
unlikely beside the others that no digit of the sum is theirs; a bound of their probability, which costs one
logarithm, tells which. What is left out is bounded as well, step by step: where it could be seen, all of that
step's components are computed.
"""

import math

import torch
from torch import Tensor

from models.distributions.mixture import Mixture
from models.distributions.normal import log_normal_interval

MARGIN = 15.0
"""Components whose bound lies so many nats below the highest are left out at first."""

TOLERANCE = 1e-5
"""What is left out is at most this share of a step's probability: 1.4e-5 bits a step."""

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def interval_log_prob(
    mixture: Mixture, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Natural log of the probability that each output lies between its bounds (..., D), as (...), float64.

    Never more than `Mixture.interval_log_prob`, and less by `TOLERANCE` nats at most.
    """
    exact = mixture.double()
    mean, inverse = exact.conditional_mean(value.double()), exact.scale.reciprocal()
    below = (lower.double().unsqueeze(-2) - mean).mul_(inverse)
    above = (upper.double().unsqueeze(-2) - mean).mul_(inverse)
    absent = None if mask is None else ~mask.unsqueeze(-2).expand(below.shape)
    log_weights = torch.log_softmax(exact.logits, -1)
    bound = log_weights + _sum(_bound(below, above), absent)
    joint = torch.full_like(bound, -torch.inf)

    def compute(chosen: Tensor) -> None:
        of_outputs = log_normal_interval(below[chosen], above[chosen])
        joint[chosen] = log_weights[chosen] + _sum(of_outputs, None if absent is None else absent[chosen])

    left_out = bound < bound.amax(-1, keepdim=True) - MARGIN
    compute(~left_out)
    missing = torch.logsumexp(bound.masked_fill(~left_out, -torch.inf), -1) - torch.logsumexp(joint, -1)
    seen = left_out & (missing > math.log(TOLERANCE)).unsqueeze(-1)
    if seen.any():
        compute(seen)
    return torch.logsumexp(joint, -1).clamp(max=0)  # rounding may lift a certain outcome past 1


def _bound(below: Tensor, above: Tensor) -> Tensor:
    """At least log(Phi(above) - Phi(below)): by the density at the nearest point n, and by the tail beyond n.

    Nowhere in the interval is the density above phi(n) = exp(-n^2 / 2) / sqrt(2 pi), and a tail that begins
    at n >= 0 holds at most exp(-n^2 / 2).
    """
    nearest = torch.maximum(below, -above).clamp_(min=0)
    by_width = (above - below).log_().sub_(HALF_LOG_2PI).clamp_(max=0)
    return by_width.addcmul_(nearest, nearest, value=-0.5)


def _sum(of_outputs: Tensor, absent: Tensor | None) -> Tensor:
    """Over the outputs (..., D) that exist."""
    return (of_outputs if absent is None else of_outputs.masked_fill(absent, 0.0)).sum(-1)
