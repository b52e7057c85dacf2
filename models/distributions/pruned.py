"""The probability of an interval under a mixture, without the components that have no digit of it.

The two cumulative probabilities of an interval take longer than all else. Most components of a mixture are so
unlikely beside the others that no digit of the sum is theirs. A bound of their probability, which costs one
logarithm, shows which. What is left out is bounded as well, for each distribution: where it could be seen,
all of its components are computed.
"""

import math

import torch
from torch import Tensor

from models.distributions.normal import HALF_LOG_2PI, log_normal_interval

FEW = 4
"""So many components are all computed: the bounds would cost more than they save."""

MARGIN = 30.0
"""Components whose bound lies so many nats below the highest are left out at first."""

TOLERANCE = 1e-10
"""What is left out is at most this share of a probability."""


def mixed_interval_log_prob(
    log_weights: Tensor, below: Tensor, above: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Return the log-probability (...) that every output lies between its bounds, float64.

    Args:
        log_weights: (..., K), normalised.
        below, above: (..., K, D) the bounds in standard deviations from the mean of each component; they may
            be infinite.
        mask: (..., D), false where an output is left out.

    Returns:
        Never more than the sum over all components, and less by `TOLERANCE` nats at most; rounding excepted.
    """
    absent = None if mask is None else ~mask.unsqueeze(-2).expand(below.shape)
    log_weights = log_weights.expand(below.shape[:-1])
    if below.shape[-2] <= FEW:
        return torch.logsumexp(log_weights + _sum(log_normal_interval(below, above), absent), -1)
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
    return torch.logsumexp(joint, -1)


def conditional_log_prob(
    log_weights: Tensor, below: Tensor, above: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Return the log-probability (..., D) of each output, given those before it, with all components.

    The arguments are those of `mixed_interval_log_prob`.

    Example:
        The first output shows which of two components it is, so the second is more likely:

        >>> import torch
        >>> below, above = (torch.tensor([[x, x], [x - 9, x - 9]], dtype=torch.float64) for x in (-1.0, 1.0))
        >>> log_weights = torch.tensor([0.5, 0.5], dtype=torch.float64).log()
        >>> [round(x, 3) for x in conditional_log_prob(log_weights, below, above).exp().tolist()]
        [0.341, 0.683]
    """
    of_outputs = log_normal_interval(below, above)
    if mask is not None:
        of_outputs = of_outputs.masked_fill(~mask.unsqueeze(-2), 0.0)
    joint = torch.logsumexp(log_weights.unsqueeze(-1) + of_outputs.cumsum(-1), -2)
    return torch.diff(joint, dim=-1, prepend=torch.zeros_like(joint[..., :1])).clamp(max=0)


def _bound(below: Tensor, above: Tensor) -> Tensor:
    """Return an upper bound of log(Phi(above) - Phi(below)), from the density at the nearest point n.

    Nowhere in the interval is the density above phi(n) = exp(-n^2 / 2) / sqrt(2 pi). The tail beyond n >= 0
    gives a second bound: it holds at most exp(-n^2 / 2).
    """
    nearest = torch.maximum(below, -above).clamp_(min=0)
    by_width = (above - below).log_().sub_(HALF_LOG_2PI).clamp_(max=0)
    return by_width.addcmul_(nearest, nearest, value=-0.5)


def _sum(of_outputs: Tensor, absent: Tensor | None) -> Tensor:
    """Sum over the outputs (..., D) that exist."""
    return (of_outputs if absent is None else of_outputs.masked_fill(absent, 0.0)).sum(-1)
