"""Means over trainings that differ in the seed, with their standard errors."""

import math
import statistics
from collections.abc import Sequence

CERTAIN = 2.0
"""Differences of at least so many standard errors are named as differences."""


def text_of(values: Sequence[float]) -> str:
    """Return a mean with its standard error.

    Example:
        >>> text_of([8.5, 8.6, 8.7]), text_of([8.5])
        ('8.60 ± 0.06', '8.50')
    """
    error = standard_error(values)
    return f"{statistics.fmean(values):.2f}" + ("" if error is None else f" ± {error:.2f}")


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean of independent values; None for one value."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def order(first: Sequence[float], second: Sequence[float]) -> int:
    """Return -1 where the first values are lower, and 1 where the second are.

    It is 0 where that is not certain, as of a single value.
    """
    difference = statistics.fmean(first) - statistics.fmean(second)
    error = math.hypot(standard_error(first) or 0.0, standard_error(second) or 0.0)
    if min(len(first), len(second)) < 2 or abs(difference) <= CERTAIN * error:
        return 0
    return -1 if difference < 0 else 1
