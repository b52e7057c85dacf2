"""A cascade of adaptive linear predictors of the next sample, which starts without any knowledge.

The first predictor is least squares over the recent past: the normal equations forget with a factor for each
sample and are solved at every sample. What it leaves is predicted by normalised LMS (Widrow and Hoff 1960;
Nagumo and Noda 1967) of 32 values, and what that leaves by one of 16. Lossless coders of music have such
cascades with a memory of 500 samples and more; speech needs about 100, a pitch period.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adaptive.regression import limited
from models.adaptive.solver import ORDER, solve
from models.compiled.simd import compiled, inlined

Floats = NDArray[np.float64]

PREDICTORS = 3
"""Predictions of the cascade: of the first stage, of the first two, and of all."""
FORGETTING = 0.99
"""Weight of a sample's equation for each sample that has passed since."""
RIDGE = 1.0
"""Added to the diagonal of the equations, in squared quantisation steps."""
LONG, SHORT = 32, 16
"""Values that the second and the third stage read."""
LONG_RATE, SHORT_RATE = 0.004, 0.005
LARGEST = 65_536.0
"""Largest absolute prediction of a stage."""

_ROOM = 1 << 12
_NEW = 1.0 - FORGETTING


class Cascade(NamedTuple):
    """The state after some samples.

    Attributes:
        matrix, right: normal equations of the first stage, (ORDER, ORDER) and (ORDER,).
        weights: their solution, (ORDER,), of the oldest of the ORDER last samples first.
        long, short: weights of the other stages, (LONG,) and (SHORT,), of the oldest value first.
        past: (3, room) the values that each stage has read, in an array that is longer than needed.
        place: (1,) index in ``past`` of the next value.
        energy: (2,) sum of squares of the values that the second and the third stage read now.
        predictions: (PREDICTORS,) predictions of the next sample.
    """

    matrix: Floats
    right: Floats
    weights: Floats
    long: Floats
    short: Floats
    past: Floats
    place: NDArray[np.int64]
    energy: Floats
    predictions: Floats


def new_cascade() -> Cascade:
    """Return the state at the start of a recording."""
    return Cascade(
        matrix=np.zeros((ORDER, ORDER)),
        right=np.zeros(ORDER),
        weights=np.zeros(ORDER),
        long=np.zeros(LONG),
        short=np.zeros(SHORT),
        past=np.zeros((3, LONG + _ROOM)),
        place=np.full(1, LONG, np.int64),
        energy=np.zeros(2),
        predictions=np.zeros(PREDICTORS),
    )


@inlined
def _product(weights: Floats, values: Floats) -> float:
    """Return the sum of products of two arrays whose length is a multiple of 4, in four partial sums."""
    a = b = c = d = 0.0
    for i in range(0, weights.size, 4):
        a += weights[i] * values[i]
        b += weights[i + 1] * values[i + 1]
        c += weights[i + 2] * values[i + 2]
        d += weights[i + 3] * values[i + 3]
    return (a + b) + (c + d)


@compiled
def predict(state: Cascade) -> None:
    """Compute the predictions of the next sample."""
    place = state.place[0]
    of_long = state.past[1, place - LONG : place]
    of_short = state.past[2, place - SHORT : place]
    first = limited(_product(state.weights, state.past[0, place - ORDER : place]), LARGEST)
    second = _product(state.long, of_long)
    third = _product(state.short, of_short)
    state.energy[0] = _product(of_long, of_long)
    state.energy[1] = _product(of_short, of_short)
    state.predictions[0] = first
    state.predictions[1] = limited(first + second, LARGEST)
    state.predictions[2] = limited(first + second + third, LARGEST)


@compiled
def learn(state: Cascade, value: float) -> None:
    """Adapt to the next sample, after `predict`.

    Args:
        state: the state, which is updated.
        value: the sample, in quantisation steps.
    """
    place = state.place[0]
    seen = state.past[0, place - ORDER : place]
    _add_equation(state.matrix, state.right, seen, value)
    solve(state.matrix, state.right, RIDGE, state.weights)
    errors = value - state.predictions[0], value - state.predictions[1], value - state.predictions[2]
    # The normalised step of LMS divides by the energy of what was read.
    _follow(state.long, state.past[1, place - LONG : place], LONG_RATE * errors[1] / (1.0 + state.energy[0]))
    _follow(
        state.short, state.past[2, place - SHORT : place], SHORT_RATE * errors[2] / (1.0 + state.energy[1])
    )
    if place == state.past.shape[1]:
        for row in range(3):
            for i in range(LONG):
                state.past[row, i] = state.past[row, place - LONG + i]
        place = LONG
    state.past[0, place] = value
    state.past[1, place] = errors[0]
    state.past[2, place] = errors[1]
    state.place[0] = place + 1


@inlined
def _add_equation(matrix: Floats, right: Floats, seen: Floats, value: float) -> None:
    for i in range(ORDER):
        part = _NEW * seen[i]
        right[i] = FORGETTING * right[i] + part * value
        for j in range(ORDER):
            matrix[i, j] = FORGETTING * matrix[i, j] + part * seen[j]


@inlined
def _follow(weights: Floats, values: Floats, step: float) -> None:
    for i in range(weights.size):
        weights[i] += step * values[i]
