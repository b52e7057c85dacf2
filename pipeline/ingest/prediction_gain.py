"""Prediction gain of a recording: how much less the error of linear prediction is than the signal.

It is the ratio of the signal's variance to that of the error of the best linear predictor, in decibels
(Jayant and Noll, Digital Coding of Waveforms, 1984). Nothing can be predicted of white noise: its gain is
0 dB, apart from what a predictor fits of so few samples. The gain is measured in short blocks, since a glide
through all frequencies has a flat spectrum as a whole.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ORDER = 16
BLOCK = 1_024
"""Samples of a block. A predictor of order 16 fits 0.1 dB of white noise in it."""
HOP = BLOCK // 2
QUIET_STD = 10.0
"""Blocks below this level, in steps of 16 bits (-70 dB), are silence, with or without a converter's noise.
They cost a model few bits, so they count as predicted."""
SHARE = 0.9
"""The gain of a recording is the value that this share of its blocks does not exceed: what can be predicted
in a tenth of it is worth its training."""
REGULARISATION = 1e-9


class PredictionGain:
    """The gain of a recording whose samples are given in pieces of any size."""

    def __init__(self) -> None:
        self._rest = np.zeros(0)
        self._gains: list[Floats] = []

    def add(self, samples: NDArray[np.int16]) -> None:
        """Measure the next samples (N,)."""
        joined = np.concatenate([self._rest, samples.astype(np.float64)])
        blocks = sliding_window_view(joined, BLOCK)[::HOP] if len(joined) >= BLOCK else joined[:0]
        self._rest = joined[len(blocks) * HOP :]
        if len(blocks):
            self._gains.append(block_gains_db(blocks))

    def value_db(self) -> float:
        """Return the gain in dB; infinite for a recording that is shorter than one block or silent."""
        gains = np.concatenate([[np.inf] if not self._gains else [], *self._gains])
        return float(np.quantile(gains, SHARE, method="higher"))


def block_gains_db(blocks: Floats) -> Floats:
    """Return the prediction gains (N,) in dB of blocks (N, BLOCK); infinite for those that are quiet."""
    centred = blocks - blocks.mean(1, keepdims=True)
    loud = centred.std(1) >= QUIET_STD
    power = np.abs(np.fft.rfft(centred[loud] * np.hanning(BLOCK), 2 * BLOCK)) ** 2
    correlation = np.fft.irfft(power)[:, : ORDER + 1]
    correlation[:, 0] *= 1 + REGULARISATION
    gains = np.full(len(blocks), np.inf)
    gains[loud] = 10 * np.log10(correlation[:, 0] / prediction_errors(correlation))
    return gains


def prediction_errors(correlation: Floats) -> Floats:
    """Return the error power (M,) of the best linear predictors, by the Levinson-Durbin recursion.

    Args:
        correlation: autocorrelations (M, order + 1) at lags 0 ... order, positive definite.
    """
    error = correlation[:, 0].copy()
    filters = np.zeros_like(correlation)
    filters[:, 0] = 1.0
    for lag in range(1, correlation.shape[1]):
        reflection = -(filters[:, :lag] * correlation[:, lag:0:-1]).sum(1) / error
        filters[:, 1 : lag + 1] += reflection[:, None] * filters[:, lag - 1 :: -1]
        error *= 1 - reflection**2
    return error
