"""Exponential and logarithm in double precision, with the same bits on every machine.

Both are sums, products and quotients in a fixed order, and are written so that a loop over them becomes
vector instructions. The polynomial of the logarithm is that of Sun's fdlibm.
"""

import math

import numpy as np

from models.compiled.simd import inlined

LIMIT = 700.0
"""Largest absolute value of an exponent."""

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""Their sum is log 2; the first has few digits, so that whole multiples of it are exact."""
_ROUNDER = 6_755_399_441_055_744.0
"""1.5 * 2^52: in a sum with it, a double has no digits left behind the point."""
_ONE_BITS, _ROOT_HALF_BITS = 0x3FF0000000000000, 0x3FE6A09E667F3BCD
"""Bits of 1 and of the root of 1/2."""
_MANTISSA_BITS = 0xFFFFFFFFFFFFF
_DIGITS = 52

_E2, _E3, _E4, _E5 = 1 / 2, 1 / 6, 1 / 24, 1 / 120
_E6, _E7, _E8, _E9 = 1 / 720, 1 / 5_040, 1 / 40_320, 1 / 362_880
_E10, _E11, _E12, _E13 = (1 / math.factorial(n) for n in (10, 11, 12, 13))
_L1, _L2, _L3 = 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01
_L4, _L5 = 2.222219843214978396e-01, 1.818357216161805012e-01
_L6, _L7 = 1.531383769920937332e-01, 1.479819860511658591e-01


@inlined
def exp(x: float) -> float:
    """Return e^x to the last digits, with x limited to +-700; what is no number counts as 700."""
    x = x if x < LIMIT else LIMIT
    x = x if x > -LIMIT else -LIMIT
    rounded = x * _LOG2_E + _ROUNDER
    whole = rounded - _ROUNDER
    r = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    high = _E8 + r * (_E9 + r * (_E10 + r * (_E11 + r * (_E12 + r * _E13))))
    low = _E2 + r * (_E3 + r * (_E4 + r * (_E5 + r * (_E6 + r * (_E7 + r * high)))))
    power = np.int64((np.float64(rounded).view(np.int64) << _DIGITS) + _ONE_BITS).view(np.float64)
    result: float = (1.0 + (r + r * r * low)) * power
    return result


@inlined
def log(x: float) -> float:
    """Return the natural logarithm of a positive, normal x, to the last digits."""
    shifted = np.float64(x).view(np.int64) + (_ONE_BITS - _ROOT_HALF_BITS)
    n = np.float64((shifted >> _DIGITS) - 1_023)
    f = np.int64((shifted & _MANTISSA_BITS) + _ROOT_HALF_BITS).view(np.float64) - 1.0
    half_square = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    series = z * (_L1 + z * (_L2 + z * (_L3 + z * (_L4 + z * (_L5 + z * (_L6 + z * _L7))))))
    result: float = n * _LN2_HIGH - ((half_square - (s * (half_square + series) + n * _LN2_LOW)) - f)
    return result
