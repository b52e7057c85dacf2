"""Functions of float32 numbers with the same bits on every processor, unlike those of a system's library.

Polynomials after Moshier's Cephes library and, for tanh, the rational function of Eigen; relative errors
below 3e-7. Each is written so that a loop over it becomes vector instructions. What is no number stays none.
"""

import math

import numpy as np

from models.compiled.simd import exponent, inlined, mantissa, multiply_add, power_of_two

_LOG2_E = np.float32(1.44269504088896341)
_LOG_2_HIGH = np.float32(0.693359375)
_LOG_2_LOW = np.float32(-2.12194440e-4)
"""Their sum is log 2; the first has few digits, so that whole multiples of it are exact."""
_ROUNDER = np.float32(12_582_912.0)
"""1.5 * 2^23: in a sum with it, a float32 has no digits left behind the point."""
_EXP_LIMIT = np.float32(87.0)
_TANH_LIMIT = np.float32(7.90531110763549805)
_TANH_LINEAR = np.float32(4e-4)
_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)

_E0, _E1, _E2 = np.float32(5.0000001201e-1), np.float32(1.6666665459e-1), np.float32(4.1665795894e-2)
_E3, _E4, _E5 = np.float32(8.3334519073e-3), np.float32(1.3981999507e-3), np.float32(1.9875691500e-4)
_L0, _L1, _L2 = np.float32(3.3333331174e-1), np.float32(-2.4999993993e-1), np.float32(2.0000714765e-1)
_L3, _L4, _L5 = np.float32(-1.6668057665e-1), np.float32(1.4249322787e-1), np.float32(-1.2420140846e-1)
_L6, _L7, _L8 = np.float32(1.1676998740e-1), np.float32(-1.1514610310e-1), np.float32(7.0376836292e-2)
_A1, _A3, _A5 = (
    np.float32(4.89352455891786e-03),
    np.float32(6.37261928875436e-04),
    np.float32(1.48572235717979e-05),
)
_A7, _A9 = np.float32(5.12229709037114e-08), np.float32(-8.60467152213735e-11)
_A11, _A13 = np.float32(2.00018790482477e-13), np.float32(-2.76076847742355e-16)
_B0, _B2 = np.float32(4.89352518554385e-03), np.float32(2.26843463243900e-03)
_B4, _B6 = np.float32(1.18534705686654e-04), np.float32(1.19825839466702e-06)


@inlined
def exp(x: np.float32) -> np.float32:
    """Return e^x, with x clipped to +-87, so that the result is finite and normal."""
    x = _EXP_LIMIT if x > _EXP_LIMIT else x
    x = -_EXP_LIMIT if x < -_EXP_LIMIT else x
    rounded = multiply_add(x, _LOG2_E, _ROUNDER)
    whole = rounded - _ROUNDER
    x = multiply_add(whole, -_LOG_2_HIGH, x)
    x = multiply_add(whole, -_LOG_2_LOW, x)
    y = multiply_add(multiply_add(_E5, x, _E4), x, _E3)
    y = multiply_add(multiply_add(multiply_add(y, x, _E2), x, _E1), x, _E0)
    power: np.float32 = power_of_two(rounded)
    grown: np.float32 = multiply_add(y, x * x, x) + _ONE
    return grown * power


@inlined
def sigmoid(x: np.float32) -> np.float32:
    """Return 1 / (1 + e^-x)."""
    return _ONE / (_ONE + exp(-x))


@inlined
def tanh(x: np.float32) -> np.float32:
    """Return the hyperbolic tangent."""
    t = _TANH_LIMIT if x > _TANH_LIMIT else x
    t = -_TANH_LIMIT if t < -_TANH_LIMIT else t
    s = t * t
    p = multiply_add(multiply_add(multiply_add(_A13, s, _A11), s, _A9), s, _A7)
    p = multiply_add(multiply_add(multiply_add(p, s, _A5), s, _A3), s, _A1)
    q = multiply_add(multiply_add(multiply_add(_B6, s, _B4), s, _B2), s, _B0)
    return x if abs(x) < _TANH_LINEAR else t * p / q


@inlined
def log1p(x: np.float32) -> np.float32:
    """Return the natural logarithm of 1 + x, for x >= 0."""
    y = _ONE + x
    lost = (x - (y - _ONE)) / y
    n, m = exponent(y), mantissa(y) - _ONE
    p = multiply_add(multiply_add(multiply_add(_L8, m, _L7), m, _L6), m, _L5)
    p = multiply_add(multiply_add(multiply_add(p, m, _L4), m, _L3), m, _L2)
    p = multiply_add(multiply_add(p, m, _L1), m, _L0)
    square = m * m
    tail = multiply_add(n, _LOG_2_LOW, p * m * square) - _HALF * square
    logarithm: np.float32 = multiply_add(n, _LOG_2_HIGH, m + (tail + lost))
    return logarithm


@inlined
def log(x: np.float32) -> np.float32:
    """Return the natural logarithm of a positive, normal x."""
    n, m = exponent(x), mantissa(x) - _ONE
    p = multiply_add(multiply_add(multiply_add(_L8, m, _L7), m, _L6), m, _L5)
    p = multiply_add(multiply_add(multiply_add(p, m, _L4), m, _L3), m, _L2)
    p = multiply_add(multiply_add(p, m, _L1), m, _L0)
    square = m * m
    tail = multiply_add(n, _LOG_2_LOW, p * m * square) - _HALF * square
    logarithm: np.float32 = multiply_add(n, _LOG_2_HIGH, m + tail)
    return logarithm


@inlined
def asinh(x: np.float32) -> np.float32:
    """Return the inverse hyperbolic sine."""
    square = x * x
    size = log1p(abs(x) + square / (_ONE + np.float32(math.sqrt(square + _ONE))))
    return -size if x < _ZERO else size


@inlined
def nearest(x: np.float32) -> np.float32:
    """Return the nearest integer, ties to even, for |x| < 2^22."""
    return (x + _ROUNDER) - _ROUNDER
