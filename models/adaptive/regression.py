"""Least squares that forgets, and normalised LMS of any length: the parts of an ensemble.

Sums have a fixed order, so that the same bits come out on every machine. Loops are written so that vector
instructions compute several elements side by side.
"""

import numpy as np
from numpy.typing import NDArray

from models.adaptive.solver import solver
from models.compiled.simd import compiled, inlined

Floats = NDArray[np.float64]

UNKNOWNS = 12, 16, 24, 32
"""Numbers of unknowns that least squares may have."""

_TINY = 1e-200  # keeps equations that fade in silence away from numbers that slow a processor
_SUMS = 8
_LANES = 4
_solve_12, _solve_16, _solve_24, _solve_32 = (solver(order) for order in UNKNOWNS)


@inlined
def limited(value: float, largest: float) -> float:
    """Return a value within the limits of both signs; what is no number counts as the lowest."""
    value = value if value > -largest else -largest
    return value if value < largest else largest


@compiled
def product(weights: Floats, values: Floats) -> float:
    """Return the sum of products of two arrays, in eight partial sums."""
    a = b = c = d = e = f = g = h = 0.0
    whole = weights.size - weights.size % _SUMS
    for i in range(0, whole, _SUMS):
        a += weights[i] * values[i]
        b += weights[i + 1] * values[i + 1]
        c += weights[i + 2] * values[i + 2]
        d += weights[i + 3] * values[i + 3]
        e += weights[i + 4] * values[i + 4]
        f += weights[i + 5] * values[i + 5]
        g += weights[i + 6] * values[i + 6]
        h += weights[i + 7] * values[i + 7]
    for i in range(whole, weights.size):
        a += weights[i] * values[i]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@compiled
def add_equation(matrix: Floats, right: Floats, seen: Floats, value: float, forgetting: float) -> None:
    """Add the equation that ``seen`` gives ``value`` to normal equations, whose past is forgotten.

    Args:
        matrix: (P, P), of which the diagonal and what lies right of it are kept.
        right: (P,) the right side.
        seen: (P,) the values of the equation.
        value: their target.
        forgetting: weight of an equation for each one that has come since.
    """
    new = 1.0 - forgetting
    for i in range(seen.size):
        part, row = new * seen[i], matrix[i]
        right[i] = forgetting * right[i] + (part * value + _TINY)
        for j in range(i - i % _LANES, seen.size):
            row[j] = forgetting * row[j] + (part * seen[j] + _TINY)


@compiled
def solve(matrix: Floats, right: Floats, ridge: float, weights: Floats) -> None:
    """Solve equations of one of `UNKNOWNS`, see `models.adaptive.solver.solver`."""
    if right.size == 12:
        _solve_12(matrix, right, ridge, weights)
    elif right.size == 16:
        _solve_16(matrix, right, ridge, weights)
    elif right.size == 24:
        _solve_24(matrix, right, ridge, weights)
    elif right.size == 32:
        _solve_32(matrix, right, ridge, weights)


@compiled
def follow(weights: Floats, seen: Floats, step: float) -> None:
    """Add ``step`` times the values to the weights: LMS."""
    for i in range(seen.size):
        weights[i] += step * seen[i]


@compiled
def append(past: Floats, place: int, size: int, value: float) -> int:
    """Append a value to a window of the last ``size`` values, and return the place after it.

    Args:
        past: the values, in an array that is longer than needed; when it is full, its end moves to its front.
        place: index after the window's last value.
        size: values of the window.
        value: the new one.
    """
    if place == past.size:
        for i in range(size):
            past[i] = past[place - size + i]
        place = size
    past[place] = value
    return place + 1
