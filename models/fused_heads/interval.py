"""Log-probabilities of intervals under normal distributions in a block, with their slopes.

The arithmetic is that of `models.distributions.normal.interval` in single precision.
"""

import numpy as np
import torch

from models.compiled.simd import compiled, inlined
from models.distributions.constants import MAX_RAW_SCALE
from models.distributions.normal import FARTHEST, HALF_LOG_2PI, MILLS, MILLS_SCALE, NARROW
from models.fused_heads.blocks import ROWS, Array
from models.fused_heads.functions import exp, log, log1p

BOUNDS = 7
"""Blocks of numbers of outputs: see `load_bounds`."""

_MILLS = tuple(np.float32(x) for x in MILLS)
_SCALE, _TWO_SCALES = np.float32(MILLS_SCALE), np.float32(2 * MILLS_SCALE)
_FARTHEST, _CONSTANT = np.float32(FARTHEST), np.float32(HALF_LOG_2PI)
_NARROW = np.float32(NARROW[torch.float32])
_LARGEST = np.float32(MAX_RAW_SCALE)
_ZERO, _HALF, _ONE, _TWELFTH = np.float32(0), np.float32(0.5), np.float32(1), np.float32(1 / 12)


@compiled
def load_bounds(lower: Array, upper: Array, first: int, last: int, block: Array, size: int) -> None:
    """Write bounds (N, D) in double precision, of rows ``first`` to ``last``, to BOUNDS blocks (D).

    They are the lower bound and what rounding took from it, the same two of the upper one, the middle, the
    width and its logarithm.
    """
    for n in range(size):
        for r in range(ROWS):
            low, high = -1.0, 1.0
            if r < last - first:
                low, high = lower[first + r, n], upper[first + r, n]
            at = n * ROWS + r
            width = high - low
            finite = width < np.inf
            step = size * ROWS
            block[at] = low
            block[at + step] = low - block[at] if low > -np.inf else 0.0
            block[at + 2 * step] = high
            block[at + 3 * step] = high - block[at + 2 * step] if high < np.inf else 0.0
            block[at + 4 * step] = (low + high) / 2 if finite else 0.0
            block[at + 5 * step] = width
            block[at + 6 * step] = np.log(width) if finite else 0.0


@compiled
def add_interval(
    components: int,
    size: int,
    floor: float,
    bounds: Array,
    mask: Array,
    mean: Array,
    raw: Array,
    joint: Array,
    room: Array,
) -> None:
    """Add the log-probabilities of K components to ``joint`` (K), and turn their parameters into slopes.

    Args:
        components, size, floor, mask, mean, raw, joint: see `models.fused_heads.density.add_density`.
        bounds: as `load_bounds` writes them.
        room: room for work, (3).
    """
    step = size * ROWS
    value, by_mean, by_scale = room[:ROWS], room[ROWS : 2 * ROWS], room[2 * ROWS : 3 * ROWS]
    for k in range(components):
        total = joint[k * ROWS : (k + 1) * ROWS]
        for n in range(size):
            at, own = (k * size + n) * ROWS, n * ROWS
            mu, rho, present = mean[at : at + ROWS], raw[at : at + ROWS], mask[own : own + ROWS]
            middle = bounds[4 * step + own : 4 * step + own + ROWS]
            width = bounds[5 * step + own : 5 * step + own + ROWS]
            log_width = bounds[6 * step + own : 6 * step + own + ROWS]
            wide = 0
            for r in range(ROWS):
                inverse = _ONE / (exp(_LARGEST if rho[r] > _LARGEST else rho[r]) + floor)
                z, widths = (middle[r] - mu[r]) * inverse, width[r] * inverse
                twelfth = widths * widths * _TWELFTH
                correction = (z * z - _ONE) * twelfth
                slope = (z - z * twelfth) * inverse
                by_mean[r] = slope
                by_scale[r] = slope * z - inverse - correction * inverse
                value[r] = log(inverse) - _CONSTANT - _HALF * z * z + log_width[r] + _HALF * correction
                wide += 1 if widths > _NARROW else 0
            if wide > 0:
                _replace_wide(floor, bounds[own:], step, mu, rho, value, by_mean, by_scale)
            for r in range(ROWS):
                grown = exp(_LARGEST if rho[r] > _LARGEST else rho[r])
                exists = present[r] > _ZERO
                total[r] += value[r] if exists else _ZERO
                mu[r] = by_mean[r] if exists else _ZERO
                rho[r] = by_scale[r] * grown if exists and not rho[r] > _LARGEST else _ZERO


@compiled
def _replace_wide(
    floor: float,
    bounds: Array,
    step: int,
    mean: Array,
    raw: Array,
    value: Array,
    by_mean: Array,
    by_scale: Array,
) -> None:
    """Compute from the density phi at the nearer end, as `models.distributions.normal._wide`."""
    lower, lower_rest = bounds[:ROWS], bounds[step : step + ROWS]
    upper, upper_rest = bounds[2 * step : 2 * step + ROWS], bounds[3 * step : 3 * step + ROWS]
    width = bounds[5 * step : 5 * step + ROWS]
    for r in range(ROWS):
        inverse = _ONE / (exp(_LARGEST if raw[r] > _LARGEST else raw[r]) + floor)
        below = ((lower[r] - mean[r]) + lower_rest[r]) * inverse
        above = ((upper[r] - mean[r]) + upper_rest[r]) * inverse
        widths = width[r] * inverse
        beside = below > _ZERO or above < _ZERO
        side = _ONE if beside else -_ONE
        a, b = abs(below), abs(above)
        near = a if a < b else b
        near = _FARTHEST if near > _FARTHEST else near
        short = _FARTHEST if widths > _FARTHEST else widths
        far = short + side * near
        ratio = exp((far + side * near) * short * -_HALF)
        tails = _mills_ratio(near) - side * ratio * _mills_ratio(far)
        log_phi = -_HALF * near * near - _CONSTANT
        found = log_phi + log(tails) if beside else log1p(-exp(log_phi) * tails)
        by_near = (_ONE / tails if beside else exp(log_phi - found)) * inverse
        slope = by_near * (_ONE - ratio)
        if widths > _NARROW:
            value[r] = found
            by_mean[r] = slope if a < b else -slope
            by_scale[r] = by_near * (side * near - ratio * far)


@inlined
def _mills_ratio(x: np.float32) -> np.float32:
    """Return (1 - Phi(x)) / phi(x) of the standard normal distribution, for x >= 0."""
    t = _ONE / (x + _SCALE)
    y = _ONE - _TWO_SCALES * t
    total = _MILLS[10] * y + _MILLS[9]
    total = ((total * y + _MILLS[8]) * y + _MILLS[7]) * y + _MILLS[6]
    total = ((total * y + _MILLS[5]) * y + _MILLS[4]) * y + _MILLS[3]
    total = ((total * y + _MILLS[2]) * y + _MILLS[1]) * y + _MILLS[0]
    return total * t
