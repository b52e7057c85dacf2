"""A fixed linear predictor, the classical baseline for learned models of sound.

Its coefficients solve the normal equations of the training split's autocorrelation (Makhoul 1975). Its
error is modelled by a mixture of zero-mean Gaussians: the level of speech varies, and a single scale would
make the baseline needlessly weak.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

SCALES = 8
RESIDUALS = 200_000
SMALLEST_RESIDUAL_STD = 0.1


@dataclass(frozen=True)
class LinearPredictor:
    """x[t] is expected at sum over k of coefficients[k - 1] * x[t - k], in integer sample units.

    Attributes:
        coefficients: (order,).
        residual_weight, residual_std: (SCALES,) of the mixture that describes the error.
    """

    coefficients: np.ndarray
    residual_weight: np.ndarray
    residual_std: np.ndarray

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Return the predicted samples (N,), each from those before it; the first from zeros."""
        prediction_filter = np.concatenate([[0.0], self.coefficients])
        return np.asarray(lfilter(prediction_filter, [1.0], samples.astype(np.float64)))


def fit_linear_predictor(recordings: Iterable[np.ndarray], order: int) -> LinearPredictor:
    """Fit on recordings (N,) of integer samples."""
    kept = list(recordings)
    correlation = sum(autocorrelation(samples, order) for samples in kept)
    correlation = np.asarray(correlation, np.float64)
    correlation[0] = correlation[0] * (1 + 1e-9) + 1e-9  # solvable on silence, too
    coefficients = solve_toeplitz(correlation[:order], correlation[1:])
    bare = LinearPredictor(coefficients, np.ones(1), np.ones(1))
    every = max(1, sum(map(len, kept)) // RESIDUALS)
    residual = np.concatenate([(samples - bare.predict(samples))[::every] for samples in kept])
    return LinearPredictor(coefficients, *fit_scale_mixture(residual, SCALES))


def autocorrelation(samples: np.ndarray, order: int) -> np.ndarray:
    """Return the sums of x[t] * x[t + k] for k = 0 ... order."""
    x = samples.astype(np.float64)
    return np.array([x[: max(0, len(x) - lag)] @ x[lag:] for lag in range(order + 1)])


def fit_scale_mixture(residual: np.ndarray, scales: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit weights and standard deviations of a zero-mean Gaussian mixture by expectation maximisation."""
    squares = residual**2
    overall_std = max(float(np.sqrt(squares.mean())), SMALLEST_RESIDUAL_STD)
    std = overall_std * np.geomspace(0.03, 4.0, scales)
    weight = np.full(scales, 1 / scales)
    for _ in range(50):
        log_joint = np.log(weight) - np.log(std) - 0.5 * squares[:, None] / std**2
        share = np.exp(log_joint - log_joint.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        total = share.sum(0) + 1e-12
        weight = total / total.sum()
        std = np.maximum(np.sqrt(squares @ share / total), SMALLEST_RESIDUAL_STD)
    return weight, std
