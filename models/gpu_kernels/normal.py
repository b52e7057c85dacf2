"""The normal distribution of single values, for kernels: what `models.distributions.normal` is in torch.

Each function takes one value for each component and output, and returns a natural logarithm with its
derivatives by mean and scale. Formulas and constants are explained there.
"""

import torch
import triton
import triton.language as tl

from models.distributions import normal

HALF_LOG_2PI = tl.constexpr(normal.HALF_LOG_2PI)
NARROW = tl.constexpr(normal.NARROW[torch.float32])
FARTHEST = tl.constexpr(normal.FARTHEST)
MILLS = tl.constexpr(tuple(normal.MILLS))
MILLS_COUNT = tl.constexpr(len(normal.MILLS))
MILLS_SCALE = tl.constexpr(normal.MILLS_SCALE)


@triton.jit  # type: ignore[untyped-decorator]
def density(mean, inverse, value):  # type: ignore[no-untyped-def]
    """Return the log-density; ``inverse`` is 1 / scale."""
    z = (value - mean) * inverse
    by_mean = z * inverse
    return tl.log(inverse) - HALF_LOG_2PI - 0.5 * z * z, by_mean, by_mean * z - inverse


@triton.jit  # type: ignore[untyped-decorator]
def interval(mean, inverse, lower, upper):  # type: ignore[no-untyped-def]
    """Return the log-probability of lying between bounds, which are in double precision."""
    width = (upper - lower).to(tl.float32)
    middle = tl.where(width < float("inf"), (lower + upper) * 0.5, 0.0).to(tl.float32)
    widths = width * inverse
    near, near_by_mean, near_by_scale = _narrow((middle - mean) * inverse, inverse, width, widths)
    below, above = _difference(lower, mean) * inverse, _difference(upper, mean) * inverse
    exact, exact_by_mean, exact_by_scale = _wide(below, above, widths, inverse)
    wide = widths > NARROW
    return (
        tl.where(wide, exact, near),
        tl.where(wide, exact_by_mean, near_by_mean),
        tl.where(wide, exact_by_scale, near_by_scale),
    )


@triton.jit  # type: ignore[untyped-decorator]
def log1p(x):  # type: ignore[no-untyped-def]
    """Return log(1 + x) with all digits, from the logarithm of the rounded sum (Kahan)."""
    rounded = 1.0 + x
    step = rounded - 1.0
    return tl.where(step == 0.0, x, tl.log(rounded) * (x / tl.where(step == 0.0, 1.0, step)))


@triton.jit  # type: ignore[untyped-decorator]
def _difference(bound, mean):  # type: ignore[no-untyped-def]
    rounded = bound.to(tl.float32)
    rest = tl.where(tl.abs(rounded) < float("inf"), bound - rounded.to(tl.float64), 0.0)
    return (rounded - mean) + rest.to(tl.float32)


@triton.jit  # type: ignore[untyped-decorator]
def _narrow(z, inverse, width, widths):  # type: ignore[no-untyped-def]
    twelfth = widths * widths / 12.0
    correction = (z * z - 1.0) * twelfth
    by_mean = (z - z * twelfth) * inverse
    value = tl.log(inverse) - HALF_LOG_2PI - 0.5 * z * z + tl.log(width) + 0.5 * correction
    return value, by_mean, by_mean * z - inverse - correction * inverse


@triton.jit  # type: ignore[untyped-decorator]
def _wide(below, above, widths, inverse):  # type: ignore[no-untyped-def]
    beside = (below > 0.0) | (above < 0.0)
    side = tl.where(beside, 1.0, -1.0)
    width = tl.where(widths > FARTHEST, FARTHEST, widths)
    near = tl.minimum(tl.abs(below), tl.abs(above))
    near = tl.where(near > FARTHEST, FARTHEST, near)
    far = width + side * near
    ratio = tl.exp((far + side * near) * width * -0.5)
    tails = mills_ratio(near) - side * ratio * mills_ratio(far)
    log_phi = -0.5 * near * near - HALF_LOG_2PI
    value = tl.where(beside, log_phi + tl.log(tails), log1p(-tl.exp(log_phi) * tails))
    by_near = tl.where(beside, 1.0 / tails, tl.exp(log_phi - value)) * inverse
    by_mean = by_near * (1.0 - ratio)
    by_mean = tl.where(tl.abs(below) < tl.abs(above), by_mean, -by_mean)
    return value, by_mean, by_near * (side * near - ratio * far)


@triton.jit  # type: ignore[untyped-decorator]
def mills_ratio(x):  # type: ignore[no-untyped-def]
    """Return (1 - Phi(x)) / phi(x) for x >= 0."""
    t = 1.0 / (x + MILLS_SCALE)
    place = 1.0 - (2.0 * MILLS_SCALE) * t
    polynomial = place * 0.0 + MILLS[MILLS_COUNT - 1]
    for step in tl.static_range(1, MILLS_COUNT):
        polynomial = polynomial * place + MILLS[MILLS_COUNT - 1 - step]
    return polynomial * t
