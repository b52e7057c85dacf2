"""An ensemble of adaptive predictions: cascades of different memory, and least squares over their output.

Each cascade is least squares over the last samples, then two normalised LMS (Nagumo and Noda 1967) of its
errors, as in `models.adaptive.cascade`. The last cascade, the stack, predicts a sample from the four samples
before it and from the predictions of the others. All numbers of the state lie in one array, with which
functions compile much faster than with an array for each part.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adaptive.regression import add_equation, append, follow, limited, product, solve
from models.compiled.simd import compiled, inlined

Floats = NDArray[np.float64]

PREDICTIONS = 7
"""Predictions of the ensemble: of the stack without and with its LMS, then of the cascades."""
MIDDLE = 4
"""Index of the prediction of the cascade with a memory of 100 samples."""
LARGEST = 32_768.0
"""Largest absolute prediction, in quantisation steps."""

# The cascades: memories of 500, 100, 2,000 and 50 samples, and the stack.
_CASCADES, _STACK = 5, 4
_ORDER, _GIVEN = (32, 16, 24, 12, 4), (0, 0, 0, 0, 8)
_LONG, _SHORT = (256, 32, 1024, 32, 16), (16, 16, 256, 16, 16)
ORDER, GIVEN = np.array(_ORDER), np.array(_GIVEN)
FORGETTING = np.array([0.998, 0.99, 0.9995, 0.98, 0.998])
RIDGE = np.array([0.001, 1.0, 0.001, 2.0, 0.5])
EVERY = np.array([2, 1, 4, 1, 1])
"""After how many samples the equations are solved."""
LONG, SHORT = np.array(_LONG), np.array(_SHORT)
LONG_RATE = np.array([0.004, 0.004, 0.002, 0.004, 0.002])
SHORT_RATE = np.array([0.005, 0.005, 0.003, 0.005, 0.002])

_ROOM = 1 << 12
_WINDOW = max(_ORDER)
# Parts of a cascade's numbers: matrix, right side and solution of the equations, what the first stage reads,
# the predictions of the three stages, and the weights and the past values of each LMS.
_PARTS = range(9)
_MATRIX, _RIGHT, _WEIGHTS, _SEEN, _FOUND, _LONG_WEIGHTS, _LONG_PAST, _SHORT_WEIGHTS, _SHORT_PAST = _PARTS


def _places() -> tuple[NDArray[np.int64], int]:
    """Return where the parts of each cascade begin, (cascades, parts), and how many numbers there are."""
    unknowns = [order + given for order, given in zip(_ORDER, _GIVEN, strict=True)]
    sizes = [
        [p * p, p, p, p, 3, long, long + _ROOM, short, short + _ROOM]
        for p, long, short in zip(unknowns, _LONG, _SHORT, strict=True)
    ]
    ends = np.cumsum(np.array(sizes).reshape(-1)) + _WINDOW + _ROOM
    begins = np.concatenate([[_WINDOW + _ROOM], ends[:-1]])
    return begins.reshape(_CASCADES, len(_PARTS)), int(ends[-1])


PLACES, _SIZE = _places()


class Ensemble(NamedTuple):
    """The state after some samples.

    Attributes:
        numbers: the last samples, then the parts of each cascade.
        energy: (cascades, 2) sums of squares of what the LMS read now.
        places: (1 + 2 cascades,) places after the last samples and after the last values of each LMS.
        read: (1,) number of samples so far.
        predictions: (PREDICTIONS,) of the next sample.
    """

    numbers: Floats
    energy: Floats
    places: NDArray[np.int64]
    read: NDArray[np.int64]
    predictions: Floats


def new_ensemble() -> Ensemble:
    """Return the state at the start of a recording."""
    windows = [size for pair in zip(_LONG, _SHORT, strict=True) for size in pair]
    return Ensemble(
        np.zeros(_SIZE),
        np.zeros((_CASCADES, 2)),
        np.array([_WINDOW, *windows], np.int64),
        np.zeros(1, np.int64),
        np.zeros(PREDICTIONS),
    )


@inlined
def _part(state: Ensemble, cascade: int, part: int, size: int) -> Floats:
    begin = PLACES[cascade, part]
    numbers: Floats = state.numbers[begin : begin + size]
    return numbers


@inlined
def _read(state: Ensemble, cascade: int, part: int, size: int, place: int) -> Floats:
    """Return the window of an LMS, whose last value lies before ``place``."""
    end = PLACES[cascade, part] + place
    values: Floats = state.numbers[end - size : end]
    return values


@inlined
def _found(state: Ensemble, cascade: int, stage: int) -> float:
    """Return a cascade's last prediction by the first stage (0), the first two (1) or all (2)."""
    found: float = state.numbers[PLACES[cascade, _FOUND] + stage]
    return found


@compiled
def _predict(state: Ensemble, cascade: int) -> None:
    """Compute a cascade's predictions; those of the others are what the stack is given."""
    order, unknowns = ORDER[cascade], ORDER[cascade] + GIVEN[cascade]
    seen, last = _part(state, cascade, _SEEN, unknowns), state.places[0]
    for i in range(order):
        seen[i] = state.numbers[last - order + i]
    for i in range(GIVEN[cascade]):
        seen[order + i] = _found(state, i // 2, 2 * (i % 2))
    long, short = LONG[cascade], SHORT[cascade]
    of_long = _read(state, cascade, _LONG_PAST, long, state.places[1 + 2 * cascade])
    of_short = _read(state, cascade, _SHORT_PAST, short, state.places[2 + 2 * cascade])
    first = limited(product(_part(state, cascade, _WEIGHTS, unknowns), seen), LARGEST)
    second = product(_part(state, cascade, _LONG_WEIGHTS, long), of_long)
    third = product(_part(state, cascade, _SHORT_WEIGHTS, short), of_short)
    found = _part(state, cascade, _FOUND, 3)
    found[0] = first
    found[1] = limited(first + second, LARGEST)
    found[2] = limited(first + second + third, LARGEST)


@compiled
def predict(state: Ensemble) -> None:
    """Compute the predictions of the next sample."""
    for cascade in range(_CASCADES):
        _predict(state, cascade)
    state.predictions[0], state.predictions[1] = _found(state, _STACK, 0), _found(state, _STACK, 2)
    state.predictions[2], state.predictions[3] = _found(state, 0, 2), _found(state, 0, 0)
    state.predictions[MIDDLE] = _found(state, 1, 2)
    state.predictions[5], state.predictions[6] = _found(state, 2, 2), _found(state, 3, 2)


@compiled
def _learn_lms(state: Ensemble, cascade: int, which: int, error: float, value: float) -> None:
    """Adapt the long (0) or the short (1) LMS to its error, and let it read the next value."""
    size = LONG[cascade] if which == 0 else SHORT[cascade]
    rate = LONG_RATE[cascade] if which == 0 else SHORT_RATE[cascade]
    weights = _part(state, cascade, _LONG_WEIGHTS + 2 * which, size)
    past = _part(state, cascade, _LONG_PAST + 2 * which, size + _ROOM)
    place = state.places[1 + 2 * cascade + which]
    seen = past[place - size : place]
    follow(weights, seen, rate * error / (1.0 + state.energy[cascade, which]))
    energy = state.energy[cascade, which] + value * value - seen[0] * seen[0]
    state.energy[cascade, which] = max(energy, 0.0)  # rounding may leave less than nothing
    state.places[1 + 2 * cascade + which] = append(past, place, size, value)


@compiled
def learn(state: Ensemble, value: float) -> None:
    """Adapt to the next sample, after `predict`.

    Args:
        state: the state, which is updated.
        value: the sample, in quantisation steps.
    """
    state.read[0] += 1
    for cascade in range(_CASCADES):
        unknowns = ORDER[cascade] + GIVEN[cascade]
        matrix = _part(state, cascade, _MATRIX, unknowns * unknowns).reshape((unknowns, unknowns))
        right = _part(state, cascade, _RIGHT, unknowns)
        add_equation(matrix, right, _part(state, cascade, _SEEN, unknowns), value, FORGETTING[cascade])
        if state.read[0] % EVERY[cascade] == 0:
            solve(matrix, right, RIDGE[cascade], _part(state, cascade, _WEIGHTS, unknowns))
        found = _part(state, cascade, _FOUND, 3)
        _learn_lms(state, cascade, 0, value - found[1], value - found[0])
        _learn_lms(state, cascade, 1, value - found[2], value - found[1])
    state.places[0] = append(state.numbers[: _WINDOW + _ROOM], state.places[0], _WINDOW, value)
