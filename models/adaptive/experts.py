"""Experts on the next sample: logistic distributions around adaptive predictions, weighted by their success.

Each prediction of the cascade is the mean of five logistic distributions, whose scales are multiples of a
running mean of its errors. An expert's weight is its likelihood on the recent samples, each forgotten with a
factor per sample. A network's distribution may be one more expert. A small share of a uniform distribution
is added, so that no integer is impossible.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adaptive.cascade import PREDICTORS
from models.adaptive.elementary import exp, log
from models.compiled.simd import compiled

Floats = NDArray[np.float64]

WIDTHS = np.array([0.37892914162759955, 0.6155722066724582, 1.0, 1.624504792712471, 2.6390158215457884])
"""Multiples of the running scale: powers of 2^0.7, written out since not all libraries round them alike."""
NETWORK = PREDICTORS * len(WIDTHS)
"""Index of the network's place among the experts."""
EXPERTS = NETWORK + 1
FORGETTING = 0.98
"""Weight of a sample's log-likelihood for each sample that has passed since."""
UNIFORM_SHARE = 2.0**-16
LEAST_LIKELIHOOD = 1e-9
"""An expert that fails counts as if it had given this probability."""
FIRST_SCALE = 30.0
"""Running means of the errors at the start of a recording, in quantisation steps."""

_LEAST_SCALE = 0.02  # of a logistic distribution, in quantisation steps
_PER_ERROR, _PER_STEP = 0.7, 0.01
_FAST, _SLOW = 0.06, 0.006  # rates of the two running means of an error
_ABSENT = -1e30
_WIDTH_COUNT = len(WIDTHS)


class Experts(NamedTuple):
    """The state after some samples, and the distributions of the next one.

    Attributes:
        log_weights: (EXPERTS,) logarithms of the weights, up to a constant.
        running: (PREDICTORS, 2) fast and slow means of the errors.
        mean, inverse: (EXPERTS,) of the logistic distributions, the inverse of the scale; the network's are
            unused.
        weights: (EXPERTS,) share of each expert in the next sample's distribution; their sum is 1.
        likelihood: (EXPERTS,) probability that each expert gave to the last sample.
    """

    log_weights: Floats
    running: Floats
    mean: Floats
    inverse: Floats
    weights: Floats
    likelihood: Floats


def new_experts(with_network: bool) -> Experts:
    """Return the state at the start of a recording.

    Args:
        with_network: whether a network's distribution is among the experts.
    """
    log_weights = np.zeros(EXPERTS)
    if not with_network:
        log_weights[NETWORK] = _ABSENT
    running = np.full((PREDICTORS, 2), FIRST_SCALE)
    return Experts(log_weights, running, *(np.zeros(EXPERTS) for _ in range(4)))


@compiled
def begin(state: Experts, predictions: Floats) -> None:
    """Compute the experts' distributions and weights for the next sample.

    Args:
        state: the state, which is updated.
        predictions: (PREDICTORS,) of the cascade.
    """
    for j in range(PREDICTORS):
        scale = math.sqrt(state.running[j, 0] * state.running[j, 1])
        for k in range(_WIDTH_COUNT):
            state.mean[j * _WIDTH_COUNT + k] = predictions[j]
            state.inverse[j * _WIDTH_COUNT + k] = 1.0 / (scale * WIDTHS[k] + _LEAST_SCALE)
    top = state.log_weights[0]
    for i in range(1, EXPERTS):
        top = max(top, state.log_weights[i])
    for i in range(EXPERTS):
        state.log_weights[i] -= top
        state.weights[i] = exp(state.log_weights[i])
    total = 0.0
    for i in range(EXPERTS):
        total += state.weights[i]
    for i in range(EXPERTS):
        state.weights[i] /= total


@compiled
def probability(state: Experts, lower: float, upper: float, size: float, of_network: float) -> float:
    """Return the probability that the next sample lies between two bounds.

    Args:
        state: the state, in which the experts' likelihoods are noted.
        lower, upper: bounds of the sample's interval in quantisation steps, which may be infinite.
        size: number of integers that a sample may be.
        of_network: the probability that the network assigns to the interval; unused without one.
    """
    middle = 0.5 * (max(lower, -1e9) + min(upper, 1e9))
    for i in range(EXPERTS):
        # Mirrored so that the interval lies right of the mean, where differences keep their digits.
        side = 1.0 if middle >= state.mean[i] else -1.0
        low = (lower - state.mean[i]) * state.inverse[i]
        high = (upper - state.mean[i]) * state.inverse[i]
        above = exp(-low if side > 0 else high)
        beyond = exp(-high if side > 0 else low)
        state.likelihood[i] = (above - beyond) / ((1.0 + above) * (1.0 + beyond))
    state.likelihood[NETWORK] = of_network
    total = 0.0
    for i in range(EXPERTS):
        total += state.weights[i] * state.likelihood[i]
    return (1.0 - UNIFORM_SHARE) * total + UNIFORM_SHARE / size


@compiled
def learn(state: Experts, predictions: Floats, value: float) -> None:
    """Adapt weights and scales to the next sample, after `probability` of its interval.

    Args:
        state: the state, which is updated.
        predictions: (PREDICTORS,) of the cascade.
        value: the sample, in quantisation steps.
    """
    for i in range(EXPERTS):
        found = state.likelihood[i]
        found = found if found > LEAST_LIKELIHOOD else LEAST_LIKELIHOOD
        state.log_weights[i] = FORGETTING * state.log_weights[i] + log(found)
    follow_errors(state.running, predictions, value)


@compiled
def follow_errors(running: Floats, predictions: Floats, value: float) -> None:
    """Update the fast and the slow running mean of each prediction's error, (J, 2), by the next sample."""
    for j in range(predictions.size):
        error = _PER_ERROR * abs(value - predictions[j]) + _PER_STEP
        running[j, 0] += _FAST * (error - running[j, 0])
        running[j, 1] += _SLOW * (error - running[j, 1])
