"""The mixture of experts with and without the changes that a network emits."""

import numpy as np
import pytest

from models.adaptive import guided
from models.adaptive.experts import FORGETTING, LEAST_LIKELIHOOD, WIDTHS
from models.adaptive.guided import (
    CHANGES,
    COMBINATIONS,
    EXPERTS,
    FACTORS,
    POWER,
    SHIFTS,
    inputs_size,
    new_guided,
)
from tests.helpers.builders import noise, tone

WINDOW = 10
SAMPLES = (tone(400) // 8 + noise(400, std=20.0)).astype(np.float64)


def after(samples: np.ndarray) -> guided.Guided:
    """The state after these samples, with the predictions of the next one."""
    state = new_guided(WINDOW)
    for value in samples:
        guided.predict(state)
        guided.learn(state, float(value))
    guided.predict(state)
    return state


def changed(place: int, value: float) -> np.ndarray:
    changes = np.zeros(CHANGES, np.float32)
    changes[place] = value
    return changes


def probabilities(state: guided.Guided, values: np.ndarray) -> np.ndarray:
    """Probabilities of integers (n,) under each expert's logistic distribution, (n, EXPERTS)."""
    upper, lower = ((values[:, None] + half - state.mean) * state.inverse for half in (0.5, -0.5))
    return 0.5 * (np.tanh(upper / 2) - np.tanh(lower / 2))


def test_without_changes_the_weights_are_the_likelihoods_of_the_recent_samples() -> None:
    state, log_weights = new_guided(WINDOW), np.zeros(EXPERTS)
    for value in SAMPLES[:60]:
        guided.predict(state)
        guided.mix(state)
        expected = np.exp(log_weights - log_weights.max())
        np.testing.assert_allclose(state.weights, expected / expected.sum(), rtol=1e-6, atol=1e-12)
        found = probabilities(state, np.array([value]))[0]
        log_weights = FORGETTING * log_weights + np.log(np.maximum(found, LEAST_LIKELIHOOD))
        log_weights = np.maximum(log_weights - log_weights.max(), guided.LEAST_LOG_WEIGHT)
        guided.learn(state, float(value))


@pytest.mark.parametrize("spread", [0.0, 0.3, 3.0])
def test_the_probabilities_of_all_integers_add_up_to_one(spread: float) -> None:
    state = after(SAMPLES)
    changes = np.random.default_rng(1).normal(0, spread, CHANGES).astype(np.float32)
    changes[FACTORS:COMBINATIONS] = changes[FACTORS:COMBINATIONS].clip(
        -1, 1
    )  # so that the range holds all of it
    guided.set_changes(state, changes)
    guided.mix(state)
    assert state.weights.sum() == pytest.approx(1)
    total = probabilities(state, np.arange(-60_000, 60_001.0)) @ state.weights
    assert total.sum() == pytest.approx(1, abs=1e-9)


def test_each_change_has_its_effect() -> None:
    state = after(SAMPLES)
    guided.mix(state)
    mean, inverse, weights = state.mean.copy(), state.inverse.copy(), state.weights.copy()
    count = len(WIDTHS)

    guided.set_changes(state, changed(3, 2.0))
    guided.mix(state)
    assert state.weights[3] / state.weights[0] == pytest.approx(np.exp(2.0) * weights[3] / weights[0])

    guided.set_changes(state, changed(POWER, -20.0))  # the likelihoods no longer matter
    guided.mix(state)
    np.testing.assert_allclose(state.weights, 1 / EXPERTS, rtol=1e-6)

    guided.set_changes(state, changed(SHIFTS + 1, 0.5))
    guided.mix(state)
    shift = np.repeat(np.where(np.arange(EXPERTS // count) == 1, 0.5 * state.scale, 0.0), count)
    np.testing.assert_allclose(state.mean - mean, shift, atol=1e-9)

    guided.set_changes(state, changed(FACTORS + 2, 1.0))
    guided.mix(state)
    np.testing.assert_allclose(
        inverse / state.inverse, np.repeat(np.where(np.arange(EXPERTS // count) == 2, np.e, 1.0), count)
    )

    guided.set_changes(state, changed(COMBINATIONS + 4, 1.0))  # the first prediction becomes the fifth
    guided.mix(state)
    np.testing.assert_allclose(state.mean[:count], mean[4 * count : 5 * count])


def test_what_is_no_number_changes_nothing() -> None:
    state = after(SAMPLES)
    guided.mix(state)
    weights = state.weights.copy()
    guided.set_changes(state, np.full(CHANGES, np.nan, np.float32))
    guided.mix(state)
    np.testing.assert_array_equal(state.weights, weights)


def test_the_network_reads_the_last_samples_and_errors_however_long_the_recording() -> None:
    samples = np.tile(SAMPLES, 25)
    state, inputs, errors = new_guided(WINDOW), np.zeros(inputs_size(WINDOW), np.float32), []
    for n, value in enumerate(samples):
        if n % 1_000 < 20 and n > WINDOW:
            guided.write_inputs(state, inputs)
            np.testing.assert_allclose(inputs[:WINDOW], errors[-WINDOW:], rtol=1e-5)
            own = 0.25 * np.arcsinh(samples[n - WINDOW : n] / 16)
            np.testing.assert_allclose(inputs[2 * WINDOW : 3 * WINDOW], own, rtol=1e-5, atol=1e-7)
        guided.predict(state)
        errors.append(np.arcsinh((value - state.predictor.predictions[0]) / state.scale[0]))
        guided.learn(state, float(value))
