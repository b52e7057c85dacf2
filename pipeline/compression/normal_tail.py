"""Exponential and tail of the normal distribution in double precision, with the same bits on every machine.

The C library's exp and erfc differ in their last digits between systems. Here both are sums, products and
quotients in a fixed order. Files of the first format depend on each of their bits.
"""

import math

import numpy as np

from models.compiled.simd import inlined

FARTHEST = 37.0
"""Largest distance of a bound from the mean, in scales; the tail there is 6e-300."""

LOWEST, HIGHEST = -690.0, 690.0
"""Range of exponents; the ends of the normal numbers are just outside exp of this range."""

POWERS = np.array([math.ldexp(1.0, n) for n in range(-1000, 1001)])
LOG2_E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 6.93147180369123816490e-01, 1.90821492927058770002e-10
EXP_SERIES = np.array([1 / math.factorial(n) for n in range(14)])

# R(x) (x + 4) / sqrt(2 pi) in powers of (x - 4) / (x + 4), R the Mills ratio (Shepherd and Laframboise 1981):
# the interpolation at Chebyshev's nodes, made with 40 digits. Its relative error is below 5e-16.
MILLS = np.array(
    [
        *(0.7552851304157515, -0.6078966419718931, 0.38713740074221653, -0.1865218579595672),
        *(0.0603965748907624, -0.007540188969137313, -0.0034796923628903557, 0.0016308184878823643),
        *(0.00013334425890372837, -0.0002310951507876874, -1.9079074883936755e-06, 3.514564458582385e-05),
        *(7.152737509308815e-07, -5.9229798276747605e-06, -6.2620687669596e-07, 1.0270948807114341e-06),
        *(2.662327898883562e-07, -1.6231917680473566e-07, -7.98985075256226e-08, 1.9608339140939514e-08),
        *(1.6536044775506402e-08, -1.2845818869925269e-09, -1.7737405043949108e-09),
    ]
)
MILLS_SCALE = 4.0


@inlined
def exponential(x: float) -> float:
    """Return exp(x), limited to exp(-690) and exp(690), to 2e-16; NaN counts as the lowest."""
    if not x > LOWEST:
        x = LOWEST
    if x > HIGHEST:
        x = HIGHEST
    whole = math.floor(x * LOG2_E + 0.5)
    rest = x - whole * LN2_HIGH - whole * LN2_LOW
    total = EXP_SERIES[13]
    for n in range(12, -1, -1):
        total = total * rest + EXP_SERIES[n]
    result: float = total * POWERS[int(whole) + 1000]
    return result


@inlined
def upper_tail(z: float) -> float:
    """Return 1 - Phi(z) for z >= 0, to twelve digits."""
    if not z < FARTHEST:
        z = FARTHEST
    inverse = 1.0 / (z + MILLS_SCALE)
    place = 1.0 - 2.0 * MILLS_SCALE * inverse
    total = MILLS[22]
    for n in range(21, -1, -1):
        total = total * place + MILLS[n]
    tail: float = total * inverse * exponential(-0.5 * z * z)
    return tail
