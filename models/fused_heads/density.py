"""Log-densities of normal distributions in a block, with their slopes."""

import math

from models.compiled.simd import compiled
from models.distributions.constants import MAX_RAW_SCALE
from models.fused_heads.blocks import ROWS, Array
from models.fused_heads.functions import exp, log

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@compiled
def add_density(
    components: int, size: int, floor: float, value: Array, mask: Array, mean: Array, raw: Array, joint: Array
) -> None:
    """Add the log-densities of K components to ``joint`` (K), and turn their parameters into slopes.

    Args:
        components, size: K and D.
        floor: smallest scale, added to exp(raw).
        value, mask: (D), a mask of 0 leaves an output out.
        mean: (K, D), replaced by the derivatives with respect to it.
        raw: (K, D) logarithms of the scales above the floor, replaced likewise.
        joint: (K).
    """
    kind = joint.dtype.type
    zero, one, half, largest = kind(0), kind(1), kind(0.5), kind(MAX_RAW_SCALE)
    constant = kind(_HALF_LOG_2PI)
    for k in range(components):
        total = joint[k * ROWS : (k + 1) * ROWS]
        for n in range(size):
            at = (k * size + n) * ROWS
            mu, rho = mean[at : at + ROWS], raw[at : at + ROWS]
            y, present = value[n * ROWS : (n + 1) * ROWS], mask[n * ROWS : (n + 1) * ROWS]
            for r in range(ROWS):
                grown = exp(largest if rho[r] > largest else rho[r])
                scale = grown + floor
                inverse = one / scale
                z = (y[r] - mu[r]) * inverse
                by_mean = z * inverse
                by_raw = zero if rho[r] > largest else (by_mean * z - inverse) * grown
                exists = present[r] > zero
                total[r] += -(log(scale) + constant + half * z * z) if exists else zero
                mu[r] = by_mean if exists else zero
                rho[r] = by_raw if exists else zero
