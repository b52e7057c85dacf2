"""The compiled cascade predicts as the slow, obvious form does."""

import numpy as np
import pytest

from models.adaptive import cascade
from models.adaptive.cascade import LONG, SHORT, new_cascade
from models.adaptive.solver import ORDER
from tests.helpers.builders import noise, tone


def obvious(samples: np.ndarray) -> np.ndarray:
    """Predictions (N, 3) by whole histories and numpy's solver."""
    x = np.concatenate([np.zeros(LONG), samples])
    first, second = np.zeros_like(x), np.zeros_like(x)
    matrix, right = np.zeros((ORDER, ORDER)), np.zeros(ORDER)
    weights, long, short = np.zeros(ORDER), np.zeros(LONG), np.zeros(SHORT)
    found = []
    for t in range(LONG, len(x)):
        seen, of_long, of_short = x[t - ORDER : t], first[t - LONG : t], second[t - SHORT : t]
        predictions = np.cumsum([weights @ seen, long @ of_long, short @ of_short])
        found.append(predictions)
        first[t], second[t], left = x[t] - predictions
        matrix = cascade.FORGETTING * matrix + (1 - cascade.FORGETTING) * np.outer(seen, seen)
        right = cascade.FORGETTING * right + (1 - cascade.FORGETTING) * seen * x[t]
        weights = np.linalg.solve(matrix + cascade.RIDGE * np.eye(ORDER), right)
        long = long + cascade.LONG_RATE * second[t] * of_long / (1 + of_long @ of_long)
        short = short + cascade.SHORT_RATE * left * of_short / (1 + of_short @ of_short)
    return np.array(found)


def run(samples: np.ndarray) -> np.ndarray:
    state, found = new_cascade(), []
    for value in samples.astype(np.float64):
        cascade.predict(state)
        found.append(state.predictions.copy())
        cascade.learn(state, float(value))
    return np.array(found)


def test_predictions_are_those_of_the_obvious_form() -> None:
    samples = tone(600) // 8 + noise(600, std=20.0)
    np.testing.assert_allclose(run(samples), obvious(samples.astype(np.float64)), rtol=1e-6, atol=1e-6)


def test_a_long_recording_moves_its_past_without_a_change() -> None:
    """The array of past values is as long as some thousand samples; here it is filled more than once."""
    samples = np.tile(noise(100, std=200.0), 90)
    state = new_cascade()
    room = state.past.shape[1]
    for n, value in enumerate(samples.astype(np.float64)):
        cascade.predict(state)
        cascade.learn(state, float(value))
        if (n >= ORDER and n % 500 == 0) or n in (room - LONG, room - LONG + 1):
            place = state.place[0]
            np.testing.assert_array_equal(
                state.past[0, place - ORDER : place], samples[n + 1 - ORDER : n + 1]
            )
    assert len(samples) > 2 * room


@pytest.mark.parametrize("count", [1, 2, 40])
def test_silence_is_predicted_as_silence(count: int) -> None:
    assert not run(np.zeros(count)).any()


def test_predictions_stay_finite_on_the_loudest_sound() -> None:
    square = np.where(np.arange(3_000) // 20 % 2, 32_767, -32_768)
    impulses = np.where(np.arange(3_000) % 97 == 0, 32_767, 0)
    for samples in (square, impulses, np.where(np.arange(3_000) % 2, 32_767, -32_768)):
        found = run(samples)
        assert np.isfinite(found).all()
        assert np.abs(found).max() <= cascade.LARGEST
