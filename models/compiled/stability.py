"""The stability of linear predictors as in `models.distributions.stability`, compiled."""

import numpy as np
from numpy.typing import NDArray

from models.compiled.cells import copy
from models.compiled.simd import compiled
from models.distributions.constants import POLE_LIMIT

Array = NDArray[np.float32]

_FIRST_MARGIN, _RADIUS_ERROR, _NO_RADIUS = 0.01, 1e-9, 1e6
"""A search for a pole's radius begins so far outside the unit circle and ends at this relative error; what
lies beyond the last has no meaning as a predictor."""


@compiled
def make_stable(predictor: Array) -> None:
    """Draw the poles of an unstable linear predictor (P) inwards, as
    `models.distributions.stability.stabilise`.

    The outermost pole lies at the smallest radius r for which the coefficients r^-p a_p are stable.
    """
    row = np.empty((2, predictor.size), np.float64)
    if _is_stable(predictor, 1.0, row):
        return
    inner, margin = 1.0, _FIRST_MARGIN
    while not _is_stable(predictor, 1 / (1.0 + margin), row):
        inner = 1.0 + margin
        margin *= 2
        if not margin < _NO_RADIUS:
            return
    outer = 1.0 + margin
    while outer - inner > _RADIUS_ERROR * outer:
        middle = (inner + outer) / 2
        if _is_stable(predictor, 1 / middle, row):
            outer = middle
        else:
            inner = middle
    _expand(predictor, POLE_LIMIT / outer, row[0])
    copy(row[0], predictor)


@compiled
def _expand(predictor: Array, factor: float, expanded: NDArray[np.float64]) -> None:
    power = 1.0
    for p in range(predictor.size):
        power *= factor
        expanded[p] = predictor[p] * power


@compiled
def _is_stable(predictor: Array, factor: float, work: NDArray[np.float64]) -> bool:
    """As `models.distributions.stability.is_stable`, of the coefficients factor^p a_p; work is
    (2, P).

    The coefficients of ever lower orders are kept backwards, too, so that all steps are sums of vectors.
    """
    size, unit = predictor.size, 1.0
    _expand(predictor, factor, work[0])
    for p in range(size - 1):
        work[1, p] = work[0, size - 2 - p]
    for done in range(size):
        last = size - 1 - done
        reflection = work[0, last] / unit
        if not -1.0 < reflection < 1.0:
            return False
        row, backwards = work[0, :last], work[1, done : done + last]
        for p in range(last):
            before = row[p]
            row[p] = before + reflection * backwards[p]
            backwards[p] += reflection * before
        unit *= 1.0 - reflection * reflection
    return True
