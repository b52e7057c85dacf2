"""The compiled ensemble predicts as the slow, obvious form does."""

import numpy as np
import pytest

from models.adaptive import ensemble
from models.adaptive.ensemble import PREDICTIONS, new_ensemble
from tests.helpers.builders import noise, tone

# Order, other values given, forgetting, ridge, samples between solutions, sizes and rates of the LMS.
CASCADES = {
    "long": (32, 0, 0.998, 0.001, 2, 256, 0.004, 16, 0.005),
    "middle": (16, 0, 0.99, 1.0, 1, 32, 0.004, 16, 0.005),
    "slow": (24, 0, 0.9995, 0.001, 4, 1024, 0.002, 256, 0.003),
    "quick": (12, 0, 0.98, 2.0, 1, 32, 0.004, 16, 0.005),
    "stack": (4, 8, 0.998, 0.5, 1, 16, 0.002, 16, 0.002),
}


def cascade(samples: np.ndarray, name: str, given: np.ndarray) -> np.ndarray:
    """Predictions (N, 3) of the three stages, by whole histories and numpy's solver."""
    order, _, forgetting, ridge, every, *lms = CASCADES[name]
    sizes, rates = lms[::2], lms[1::2]
    unknowns, lead = order + given.shape[1], 1024
    x = np.concatenate([np.zeros(lead), samples])
    errors, filters = np.zeros((2, len(x))), [np.zeros(int(size)) for size in sizes]
    matrix, right, weights = np.zeros((unknowns, unknowns)), np.zeros(unknowns), np.zeros(unknowns)
    found = []
    for t in range(lead, len(x)):
        seen = np.concatenate([x[t - order : t], given[t - lead]])
        windows = [errors[k, t - int(size) : t] for k, size in enumerate(sizes)]
        predictions = np.cumsum([weights @ seen, *(f @ w for f, w in zip(filters, windows, strict=True))])
        found.append(predictions)
        matrix = forgetting * matrix + (1 - forgetting) * np.outer(seen, seen)
        right = forgetting * right + (1 - forgetting) * seen * x[t]
        if (t - lead + 1) % every == 0:
            weights = np.linalg.solve(matrix + ridge * np.eye(unknowns), right)
        for k in range(2):
            errors[k, t] = x[t] - predictions[k]
            step = rates[k] * (x[t] - predictions[k + 1]) / (1 + windows[k] @ windows[k])
            filters[k] = filters[k] + step * windows[k]
    return np.array(found)


def obvious(samples: np.ndarray) -> np.ndarray:
    """Predictions (N, PREDICTIONS)."""
    none = np.zeros((len(samples), 0))
    found = {name: cascade(samples, name, none) for name in ("long", "middle", "slow", "quick")}
    given = np.concatenate([each[:, [0, 2]] for each in found.values()], 1)
    stack = cascade(samples, "stack", given)
    last = [found[name][:, 2] for name in ("middle", "slow", "quick")]
    return np.stack([stack[:, 0], stack[:, 2], found["long"][:, 2], found["long"][:, 0], *last], 1)


def run(samples: np.ndarray) -> np.ndarray:
    state, found = new_ensemble(), []
    for value in samples.astype(np.float64):
        ensemble.predict(state)
        found.append(state.predictions.copy())
        ensemble.learn(state, float(value))
    return np.array(found)


def test_predictions_are_those_of_the_obvious_form() -> None:
    """For so long that the arrays of past values fill and their ends move to the front."""
    samples = (tone(4_200) // 8 + noise(4_200, std=20.0)).astype(np.float64)
    np.testing.assert_allclose(run(samples), obvious(samples), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 40])
def test_silence_is_predicted_as_silence(count: int) -> None:
    found = run(np.zeros(count))
    assert found.shape == (count, PREDICTIONS)
    assert not found.any()


def test_predictions_stay_finite_on_the_loudest_sound() -> None:
    square = np.where(np.arange(3_000) // 20 % 2, 32_767, -32_768)
    impulses = np.where(np.arange(3_000) % 97 == 0, 32_767, 0)
    for samples in (square, impulses, np.where(np.arange(3_000) % 2, 32_767, -32_768)):
        found = run(samples)
        assert np.isfinite(found).all()
        assert np.abs(found).max() <= ensemble.LARGEST
