"""The experts' probabilities are exact, sum to one, and follow what predicts well."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

from models.adaptive import experts
from models.adaptive.cascade import PREDICTORS
from models.adaptive.experts import EXPERTS, NETWORK, UNIFORM_SHARE, WIDTHS, new_experts

PREDICTIONS = np.array([3.2, -1.7, 0.4])


def all_probabilities(state: experts.Experts, depth: int) -> np.ndarray:
    """Of each integer of some bits; the outer intervals have no end. The network has a uniform share."""
    size = 1 << depth
    bounds = np.arange(-size // 2, size // 2 + 1) - 0.5
    bounds[[0, -1]] = -np.inf, np.inf
    return np.array([experts.probability(state, low, high, size, 1 / size) for low, high in pairwise(bounds)])


@pytest.mark.parametrize("with_network", [False, True])
@pytest.mark.parametrize("shift", [0.0, 120.0, -4_000.0])
def test_probabilities_of_all_integers_sum_to_one(with_network: bool, shift: float) -> None:
    state = new_experts(with_network)
    for value in (3.0, 0.0, -2.0):
        experts.begin(state, PREDICTIONS + shift)
        experts.probability(state, value - 0.5, value + 0.5, 256, 0.01)
        experts.learn(state, PREDICTIONS + shift, value)
    experts.begin(state, PREDICTIONS + shift)
    assert all_probabilities(state, 8).sum() == pytest.approx(1, abs=1e-12)


def test_an_expert_is_a_logistic_distribution() -> None:
    state = new_experts(False)
    experts.begin(state, PREDICTIONS)
    for lower, upper in ((2.5, 3.5), (-np.inf, -7.5), (900.5, 901.5), (-40.5, -39.5)):
        experts.probability(state, lower, upper, 65_536, 0.0)
        scale = 1 / state.inverse[:NETWORK]
        mean = np.repeat(PREDICTIONS, len(WIDTHS))
        above, below = (lower - mean) / scale, (upper - mean) / scale
        right = above > 0  # differences of the smaller tails keep their digits
        expected = np.where(right, expit(-above) - expit(-below), expit(below) - expit(above))
        np.testing.assert_allclose(state.likelihood[:NETWORK], expected, rtol=1e-9)


def test_weights_are_the_forgotten_likelihoods() -> None:
    state, expected = new_experts(True), np.zeros(EXPERTS)
    for value in (1.0, 4.0, 2.0, -30.0):
        experts.begin(state, PREDICTIONS)
        weights = np.exp(expected - expected.max())
        np.testing.assert_allclose(state.weights, weights / weights.sum(), rtol=1e-12)
        found = experts.probability(state, value - 0.5, value + 0.5, 65_536, 0.05)
        mixed = (1 - UNIFORM_SHARE) * state.weights @ state.likelihood + UNIFORM_SHARE / 65_536
        assert found == pytest.approx(mixed, rel=1e-12)
        experts.learn(state, PREDICTIONS, value)
        expected = experts.FORGETTING * expected + np.log(np.maximum(state.likelihood, 1e-9))


def test_without_a_network_its_place_has_no_weight() -> None:
    state = new_experts(False)
    for _ in range(3_000):
        experts.begin(state, PREDICTIONS)
        assert state.weights[NETWORK] < 1e-300
        experts.probability(state, -0.5, 0.5, 65_536, 0.0)
        experts.learn(state, PREDICTIONS, 0.0)


def test_the_best_prediction_gains_the_weight() -> None:
    state, random = new_experts(False), np.random.default_rng(0)
    for value in np.rint(random.normal(0, 3, 400)):
        predictions = np.array([80.0, 0.0, -200.0])
        experts.begin(state, predictions)
        experts.probability(state, value - 0.5, value + 0.5, 65_536, 0.0)
        experts.learn(state, predictions, float(value))
    experts.begin(state, predictions)
    of_predictions = state.weights[:NETWORK].reshape(PREDICTORS, len(WIDTHS)).sum(1)
    assert of_predictions[1] > 0.99
