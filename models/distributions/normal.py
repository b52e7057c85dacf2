"""The normal distribution of single values: density and probability of an interval, with their slopes.

Both come for values (..., D) under K means and scales each, as (..., K, D). An interval that is narrow beside
the scale has its midpoint's density times its width, corrected to second order; of wider ones the exact
difference of two cumulative probabilities is taken, in terms that keep their digits at any distance.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.polynomial import Chebyshev, Polynomial
from torch import Tensor

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

NARROW = {torch.float32: 0.03, torch.float64: 1.5e-5}
"""Intervals up to so many scales wide are narrow. The relative error of their series is at most width^2 / 12,
that of the exact difference the rounding error divided by the width."""

FARTHEST = 1e18
"""Stands for an infinite bound, in scales: its square is still finite in float32."""


class LogProb(NamedTuple):
    """Natural logarithms of densities or probabilities, and their derivatives, each (..., K, D)."""

    value: Tensor
    by_mean: Tensor
    by_scale: Tensor


def log_density(mean: Tensor, scale: Tensor, value: Tensor) -> Tensor:
    """Return the log-density (..., K, D) alone, without derivatives; the arguments are those of `density`."""
    inverse = scale.reciprocal()
    z = (value.unsqueeze(-2) - mean) * inverse
    return _of_standardised(z, inverse)


def density(mean: Tensor, scale: Tensor, value: Tensor) -> LogProb:
    """Return log-densities (..., K, D) with their derivatives.

    d/dmean = z / scale and d/dscale = (z^2 - 1) / scale, with z the standardised value.

    Args:
        mean, scale: of the components, (..., K, D).
        value: (..., D).
    """
    inverse = scale.reciprocal()
    z = (value.unsqueeze(-2) - mean) * inverse
    by_mean = z * inverse
    return LogProb(_of_standardised(z, inverse), by_mean, torch.addcmul(-inverse, by_mean, z))


def interval(mean: Tensor, scale: Tensor, lower: Tensor, upper: Tensor) -> LogProb:
    """Return the log-probabilities (..., K, D) of lying between bounds, with their derivatives.

    Bounds with more digits than the parameters keep them until a difference is taken.

    Args:
        mean, scale: of the components, (..., K, D).
        lower, upper: bounds (..., D), which may be infinite.
    """
    lower, upper = lower.unsqueeze(-2), upper.unsqueeze(-2)
    mean, scale = (part.contiguous() for part in torch.broadcast_tensors(mean, scale, lower)[:2])
    width = (upper - lower).to(mean.dtype)
    middle = torch.where(width.isfinite(), (lower + upper) / 2, 0.0).to(mean.dtype)
    inverse = scale.reciprocal()
    widths = width * inverse
    found = _narrow((middle - mean).mul_(inverse), inverse, width.log(), widths.square().div_(12))
    is_wide = widths > NARROW[mean.dtype]
    if mean.device.type != "cpu":
        return _replaced(found, is_wide, _difference(lower, mean), _difference(upper, mean), inverse, widths)
    wide = is_wide.flatten().nonzero().squeeze(-1)
    if len(wide):
        ends = (_difference(lower, mean), _difference(upper, mean), inverse, widths)
        below, above, inverse, widths = (part.flatten().index_select(0, wide) for part in ends)
        exact_ones = _wide(below.mul_(inverse), above.mul_(inverse), widths, inverse)
        for part, exact in zip(found, exact_ones, strict=True):
            part.view(-1).index_copy_(0, wide, exact)
    return found


def _replaced(
    narrow: LogProb, is_wide: Tensor, below: Tensor, above: Tensor, inverse: Tensor, widths: Tensor
) -> LogProb:
    """Return the exact numbers where intervals are wide; a GPU would wait to learn which ones are.

    Args:
        narrow: the numbers for narrow intervals, (..., K, D).
        is_wide: (..., K, D).
        below, above: bounds minus the means.
        inverse: 1 / scale.
        widths: of the intervals, in scales.
    """
    exact = _wide(below * inverse, above * inverse, widths, inverse)
    return LogProb(*(torch.where(is_wide, one, other) for one, other in zip(exact, narrow, strict=True)))


def _of_standardised(z: Tensor, inverse: Tensor) -> Tensor:
    """Return the log-density at z scales from the mean; ``inverse`` is 1 / scale."""
    return torch.addcmul(torch.log(inverse).sub_(HALF_LOG_2PI), z, z, value=-0.5)


def _difference(bound: Tensor, mean: Tensor) -> Tensor:
    """Return ``bound - mean`` in the precision of the mean, though the bound may have more digits."""
    rounded = bound.to(mean.dtype)
    rest = (bound - rounded).nan_to_num(0.0)  # nothing beyond infinity
    return (rounded - mean).add_(rest.to(mean.dtype))


def _narrow(z: Tensor, inverse: Tensor, log_width: Tensor, twelfth: Tensor) -> LogProb:
    """Return the log-density at the middle z plus log width plus width^2 (z^2 - 1) / 24, in scales.

    ``twelfth`` is width^2 / 12.
    """
    excess = (z * z).sub_(1)
    correction = excess * twelfth
    by_mean = torch.addcmul(z, z, twelfth, value=-1).mul_(inverse)
    by_scale = torch.addcmul(-inverse, correction, inverse, value=-1).addcmul_(by_mean, z)
    value = _of_standardised(z, inverse).add_(log_width).add_(correction, alpha=0.5)
    return LogProb(value, by_mean, by_scale)


def _wide(below: Tensor, above: Tensor, width: Tensor, inverse: Tensor) -> LogProb:
    """Compute from the density phi at the nearer end, at distance n from the mean; the other lies at f >= n.

    With R the Mills ratio, (1 - Phi) / phi, and E = phi(f) / phi(n), the probability is
    phi(n) (R(n) - E R(f)) beside the mean, and 1 - phi(n) (R(n) + E R(f)) around it.
    """
    beside = (below > 0) | (above < 0)
    side = beside.to(below.dtype).mul_(2).sub_(1)
    near = torch.minimum(below.abs(), above.abs()).clamp_(max=FARTHEST)
    far = torch.addcmul(width.clamp(max=FARTHEST), side, near)
    ratio = torch.exp((far + side * near) * width.clamp(max=FARTHEST) * -0.5)
    tails = mills_ratio(near) - side * ratio * mills_ratio(far)
    log_phi = near.square().mul_(-0.5).sub_(HALF_LOG_2PI)
    value = torch.where(beside, log_phi + torch.log(tails), torch.log1p(-log_phi.exp() * tails))
    by_near = torch.where(beside, tails.reciprocal(), torch.exp(log_phi - value)) * inverse
    by_mean = by_near * (1 - ratio)
    by_mean = torch.where(below.abs() < above.abs(), by_mean, -by_mean)
    return LogProb(value, by_mean, by_near * (side * near - ratio * far))


def mills_ratio(x: Tensor) -> Tensor:
    """Return (1 - Phi(x)) / phi(x) of the standard normal distribution, for x >= 0."""
    if x.dtype == torch.float64:
        exact: Tensor = torch.special.erfcx(x * math.sqrt(0.5)) * math.sqrt(math.pi / 2)
        return exact
    t = 1 / (x + MILLS_SCALE)
    place = 1 - (2 * MILLS_SCALE) * t
    polynomial = torch.full_like(x, MILLS[-1])
    for coefficient in MILLS[-2::-1]:
        polynomial.mul_(place).add_(coefficient)
    return polynomial.mul_(t)


MILLS_SCALE = 2.0


def _fit_mills_ratio(degree: int) -> list[float]:
    """Fit a polynomial for float32, which is 30 times as fast as torch's exact function.

    R(x) (x + c) is smooth in y = (x - c) / (x + c), which takes x from 0 to infinity into -1 to 1
    (Shepherd and Laframboise 1981).
    """

    def of_place(y: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(MILLS_SCALE * (1 + y) / (1 - y))
        return (mills_ratio(x) * (x + MILLS_SCALE)).numpy()

    fitted = Chebyshev.interpolate(of_place, degree).convert(kind=Polynomial)
    return [float(x) for x in fitted.coef]


MILLS = _fit_mills_ratio(10)


def log_normal_interval(below: Tensor, above: Tensor) -> Tensor:
    """Return log(Phi(above) - Phi(below)) of the standard normal.

    An interval right of the mean is mirrored to its left, where the logarithms keep their digits:
    log(Phi(b) - Phi(a)) = log Phi(b) + log(1 - exp(log Phi(a) - log Phi(b))).

    Args:
        below, above: bounds of the same shape in float64, with below < above.

    Example:
        Far from the mean, where the difference of two cumulative probabilities would be 0:

        >>> import torch
        >>> bounds = torch.tensor([10.0, 11.0], dtype=torch.float64)
        >>> round(log_normal_interval(*bounds).item(), 3)
        -53.231
    """
    mirror = below > 0
    low = torch.where(mirror, -above, below)
    high = torch.where(mirror, -below, above)
    log_low: Tensor = torch.special.log_ndtr(low)
    log_high: Tensor = torch.special.log_ndtr(high)
    return log_high + torch.log(-torch.expm1(log_low - log_high))
