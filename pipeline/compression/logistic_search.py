"""The part of mixed logistic distributions in the search for a sample by binary decisions.

A sample's place among all M values is found by halving the interval in which it lies. A bound b has two
numbers for each distribution: F(b) - [b >= mean], which is accurate in both tails, and [b >= mean].
"""

import numpy as np
from numpy.typing import NDArray

from models.adaptive.elementary import exp
from models.adaptive.experts import UNIFORM_SHARE
from models.compiled.simd import compiled

Floats = NDArray[np.float64]

LOW, LOW_PAST, HIGH, HIGH_PAST, MIDDLE, MIDDLE_PAST = range(6)
ROWS = 6
"""Rows of a search, (ROWS, K) for K distributions."""


@compiled
def begin(search: Floats) -> None:
    """Begin the search for a sample among all values."""
    for i in range(search.shape[1]):
        search[LOW, i] = search[LOW_PAST, i] = search[HIGH, i] = 0.0
        search[HIGH_PAST, i] = 1.0


@compiled
def halves(
    search: Floats, mean: Floats, inverse: Floats, weights: Floats, bound: float
) -> tuple[float, float]:
    """Return the mixture's probabilities of both halves of the interval.

    Args:
        search: see `ROWS`; the numbers of the bound are noted.
        mean, inverse, weights: (K,) of the distributions, the inverse of the scale.
        bound: bound between the halves, in quantisation steps.
    """
    for i in range(mean.size):
        z = (bound - mean[i]) * inverse[i]
        tail = 1.0 / (1.0 + exp(abs(z)))
        search[MIDDLE, i] = -tail if z >= 0 else tail
        search[MIDDLE_PAST, i] = 1.0 if z >= 0 else 0.0
    left = right = 0.0
    for i in range(mean.size):
        of_left = (search[MIDDLE, i] - search[LOW, i]) + (search[MIDDLE_PAST, i] - search[LOW_PAST, i])
        of_right = (search[HIGH, i] - search[MIDDLE, i]) + (search[HIGH_PAST, i] - search[MIDDLE_PAST, i])
        left += weights[i] * max(of_left, 0.0)
        right += weights[i] * max(of_right, 0.0)
    return left, right


@compiled
def of_right(left: float, right: float, middle: int, half: int, size: int, share: float) -> float:
    """Return the probability of the right half, given the interval, with the uniform share.

    Args:
        left, right: probabilities of the halves under the mixture.
        middle: place of the first value of the right half.
        half: values of the left half, and at most of the right one.
        size: M.
        share: part of the uniform share that each value has.
    """
    left = (1.0 - UNIFORM_SHARE) * left + share * np.float64(half)
    right = (1.0 - UNIFORM_SHARE) * right + share * np.float64(min(half, size - middle))
    return right / (left + right)


@compiled
def first_half(size: int) -> int:
    """Return the values of the left half of the first decision: the largest power of two below ``size``."""
    half = 1
    while half < size:
        half *= 2
    return half // 2


@compiled
def narrow(search: Floats, bit: int) -> None:
    """Continue the search in the left (0) or the right (1) half."""
    to = LOW if bit else HIGH
    for i in range(search.shape[1]):
        search[to, i] = search[MIDDLE, i]
        search[to + 1, i] = search[MIDDLE_PAST, i]
