"""The values that samples may take, and the interval of numbers that stands for each."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Cells(NamedTuple):
    """M values, each with the interval that reaches half way to its neighbours.

    Attributes:
        values: (M,) increasing, in quantisation steps.
        bounds: (M + 1,) value m has the interval from bound m to bound m + 1. The outer bounds are infinite,
            so that the probabilities of all values sum to 1.
    """

    values: Floats
    bounds: Floats


def cells_of(values: Sequence[float] | NDArray[Any]) -> Cells:
    """Return the cells of at least one value, in increasing order.

    Example:
        >>> cells_of([-1, 0, 4]).bounds.tolist()
        [-inf, -0.5, 2.0, inf]
    """
    numbers = np.asarray(values, np.float64)
    middles = (numbers[:-1] + numbers[1:]) / 2
    return Cells(numbers, np.concatenate([[-np.inf], middles, [np.inf]]))


def integer_cells(depth: int) -> Cells:
    """Return the cells of all integers of ``depth`` bits, at least 1."""
    half = 1 << (depth - 1)
    return cells_of(np.arange(-half, half))
