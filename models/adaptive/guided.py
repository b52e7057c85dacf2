"""Experts around the ensemble's predictions, whose mixture a network may change, and what the network reads.

Each prediction is the mean of logistic distributions of several widths, multiples of a running scale of its
errors. Without a network an expert's weight is its likelihood on the recent samples, as in
`models.adaptive.experts`. A network emits for each step of D samples what changes the mixture: terms of the
log weights, a power of the weights by likelihood, and for each prediction a shift in scales, a factor of the
scale, and a combination with the other predictions. Where all of that is zero, the mixture is the one without
a network.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adaptive import ensemble
from models.adaptive.elementary import exp, log
from models.adaptive.ensemble import MIDDLE, PREDICTIONS, Ensemble, new_ensemble
from models.adaptive.experts import FIRST_SCALE, FORGETTING, LEAST_LIKELIHOOD, WIDTHS, follow_errors
from models.adaptive.regression import append
from models.compiled.simd import compiled, inlined

Floats = NDArray[np.float64]

EXPERTS = PREDICTIONS * len(WIDTHS)
LEAST_LOG_WEIGHT = -60.0
"""Log weights below the largest one by more count as this."""

POWER = EXPERTS
SHIFTS = POWER + 1
FACTORS = SHIFTS + PREDICTIONS
COMBINATIONS = FACTORS + PREDICTIONS
CHANGES = COMBINATIONS + PREDICTIONS * PREDICTIONS
"""Number of values that the network emits: a term of each log weight, and the others from these places on."""

LARGEST_CHANGE = 20.0
"""Values further from 0 count as this."""

_LEAST_SCALE = 0.04  # added to a running scale, in quantisation steps
_COMPANDED = 16.0  # quantisation steps up to which companding is about linear
_WIDTH_COUNT = len(WIDTHS)
_SERIES, _ROOM = 3, 1 << 12


class Guided(NamedTuple):
    """The state after some samples, and the mixture of the next one.

    Attributes:
        predictor: the ensemble.
        log_weights: (EXPERTS,) logarithms of the weights by likelihood; the largest is 0.
        running: (PREDICTIONS, 2) fast and slow means of the errors.
        scale: (PREDICTIONS,) running scales of the next sample.
        changes: (CHANGES,) what the network emits for this step.
        mean, inverse: (EXPERTS,) of the next sample's logistic distributions, the inverse of the scale.
        weights: (EXPERTS,) share of each expert; their sum is 1.
        distance, own_inverse, likelihood: (EXPERTS,) of the experts without changes: the last sample's
            distance from their means, the inverse of their scales, and the probability that they gave it.
        past: (3, room) the last samples' errors of the stack and of the cascade of 100 samples, in scales,
            and the samples, all on a logarithmic scale, in an array that is longer than needed.
        place: (1,) index in ``past`` of the next sample.
    """

    predictor: Ensemble
    log_weights: Floats
    running: Floats
    scale: Floats
    changes: Floats
    mean: Floats
    inverse: Floats
    weights: Floats
    distance: Floats
    own_inverse: Floats
    likelihood: Floats
    past: Floats
    place: NDArray[np.int64]


def new_guided(window: int) -> Guided:
    """Return the state at the start of a recording.

    Args:
        window: past samples that the network reads.
    """
    running = np.full((PREDICTIONS, 2), FIRST_SCALE)
    mean, inverse, weights, distance, own_inverse, likelihood = np.zeros((6, EXPERTS))
    scale, changes = np.zeros(PREDICTIONS), np.zeros(CHANGES)
    past, place = np.zeros((_SERIES, window + _ROOM)), np.full(1, window, np.int64)
    return Guided(
        new_ensemble(),
        np.zeros(EXPERTS),
        running,
        scale,
        changes,
        mean,
        inverse,
        weights,
        distance,
        own_inverse,
        likelihood,
        past,
        place,
    )


def inputs_size(window: int) -> int:
    """Return how many values the network reads of a step.

    Args:
        window: past samples that it reads.
    """
    return _SERIES * window + PREDICTIONS + EXPERTS


@inlined
def _asinh(x: float) -> float:
    magnitude = abs(x)
    found = log(magnitude + math.sqrt(magnitude * magnitude + 1.0))
    return found if x >= 0 else -found


@compiled
def write_inputs(state: Guided, inputs: NDArray[np.float32]) -> None:
    """Write what the network reads of the next step, all of it known before the step.

    Args:
        state: the state after the last step.
        inputs: (I,) receives the last values of ``past``, series by series, the log scales, and the log
            weights of the experts.
    """
    end, window, place = state.place[0], state.past.shape[1] - _ROOM, 0
    for series in range(_SERIES):
        for i in range(end - window, end):
            inputs[place] = np.float32(state.past[series, i])
            place += 1
    for j in range(PREDICTIONS):
        inputs[place] = np.float32(0.5 * log(_running_scale(state, j)) - 2.0)
        place += 1
    for i in range(EXPERTS):
        inputs[place] = np.float32(0.1 * state.log_weights[i])
        place += 1


@inlined
def _running_scale(state: Guided, j: int) -> float:
    return math.sqrt(state.running[j, 0] * state.running[j, 1]) + _LEAST_SCALE


@compiled
def predict(state: Guided) -> None:
    """Compute the predictions of the next sample and their scales."""
    ensemble.predict(state.predictor)
    for j in range(PREDICTIONS):
        state.scale[j] = _running_scale(state, j)


@compiled
def set_changes(state: Guided, emitted: NDArray[np.float32]) -> None:
    """Take what the network emits for the next step, (CHANGES,); what is no number counts as 0."""
    for i in range(CHANGES):
        value = emitted[i] if emitted[i] == emitted[i] else np.float32(0.0)
        state.changes[i] = min(max(value, -LARGEST_CHANGE), LARGEST_CHANGE)


@compiled
def mix(state: Guided) -> None:
    """Compute the mixture of the next sample, after `predict`."""
    predictions, changes = state.predictor.predictions, state.changes
    for j in range(PREDICTIONS):
        mean = predictions[j] + changes[SHIFTS + j] * state.scale[j]
        for i in range(PREDICTIONS):
            share = changes[COMBINATIONS + j * PREDICTIONS + i]
            mean += share * (predictions[i] - predictions[j])
        inverse = 1.0 / (state.scale[j] * exp(changes[FACTORS + j]))
        for k in range(_WIDTH_COUNT):
            state.mean[j * _WIDTH_COUNT + k] = mean
            state.inverse[j * _WIDTH_COUNT + k] = inverse / WIDTHS[k]
    power = exp(changes[POWER])
    top = -math.inf
    for i in range(EXPERTS):
        state.weights[i] = changes[i] + power * state.log_weights[i]
        top = max(top, state.weights[i])
    total = 0.0
    for i in range(EXPERTS):
        state.weights[i] = exp(state.weights[i] - top)
    for i in range(EXPERTS):
        total += state.weights[i]
    for i in range(EXPERTS):
        state.weights[i] /= total


@compiled
def learn(state: Guided, value: float) -> None:
    """Adapt to the next sample, after `predict`; the network's changes take no part.

    Args:
        state: the state, which is updated.
        value: the sample, in quantisation steps.
    """
    predictions, likelihood = state.predictor.predictions, state.likelihood
    for j in range(PREDICTIONS):
        for k in range(_WIDTH_COUNT):
            i = j * _WIDTH_COUNT + k
            state.distance[i] = abs(value - predictions[j])
            state.own_inverse[i] = 1.0 / (state.scale[j] * WIDTHS[k])
    for i in range(EXPERTS):
        # The interval lies right of the mean or around it, where differences keep their digits.
        above = exp((0.5 - state.distance[i]) * state.own_inverse[i])
        beyond = exp((-0.5 - state.distance[i]) * state.own_inverse[i])
        likelihood[i] = (above - beyond) / ((1.0 + above) * (1.0 + beyond))
    for i in range(EXPERTS):
        found = likelihood[i] if likelihood[i] > LEAST_LIKELIHOOD else LEAST_LIKELIHOOD
        state.log_weights[i] = FORGETTING * state.log_weights[i] + log(found)
    top = state.log_weights[0]
    for i in range(1, EXPERTS):
        top = max(top, state.log_weights[i])
    for i in range(EXPERTS):
        state.log_weights[i] = max(state.log_weights[i] - top, LEAST_LOG_WEIGHT)
    _remember(state, value)
    follow_errors(state.running, predictions, value)
    ensemble.learn(state.predictor, value)


@inlined
def _remember(state: Guided, value: float) -> None:
    """Append the sample and its errors to what the network reads."""
    place, window = state.place[0], state.past.shape[1] - _ROOM
    error, middle = value - state.predictor.predictions[0], value - state.predictor.predictions[MIDDLE]
    append(state.past[0], place, window, _asinh(error / state.scale[0]))
    append(state.past[1], place, window, _asinh(middle / state.scale[MIDDLE]))
    state.place[0] = append(state.past[2], place, window, 0.25 * _asinh(value / _COMPANDED))
