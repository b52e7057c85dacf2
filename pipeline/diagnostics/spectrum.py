"""Bandwidth and mains hum of a recording, from its mean power spectrum.

A recording that was upsampled or lossily coded has no signal above some frequency. There, its mean power
spectrum (Welch 1967, without overlap) falls to the noise of rounding, or far below its own peak.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

FRAME_S = 0.128  # resolves 8 Hz
EMPTY_DB = -90.0  # relative to the strongest frequency: below is no signal
OVER_ROUNDING_DB = 8.0  # dither adds 5 dB to the noise of rounding
SMOOTHING_HZ = 150.0
MAINS_HZ = (50.0, 60.0)
HUM_OVER_NEIGHBOURS = 30.0  # times as strong
LEAST_HUM, LEAST_HUM_IN_SHORT = 0.1, 0.4  # of the power: over a second or more, and over less
MANY_FRAMES = 8


class MeanSpectrum:
    """Mean power spectrum of a recording that is added in blocks (n, C)."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._length = 1 << round(np.log2(FRAME_S * sample_rate))
        self._window = np.hanning(self._length + 1)[:-1]
        self._power = np.zeros(self._length // 2 + 1)
        self._frames = 0
        self._held: Floats = np.zeros(0)

    def add(self, block: Floats) -> None:
        """Add the first channel of the next frames (n, C), or the second if the first is silent."""
        channel = 0 if block.shape[1] == 1 or block[:, 0].any() else 1
        samples = np.append(self._held, block[:, channel])
        whole = len(samples) // self._length * self._length
        self._held = samples[whole:].copy()
        if whole:
            frames = samples[:whole].reshape(-1, self._length)
            frames = (frames - frames.mean(1, keepdims=True)) * self._window
            self._power += np.square(np.abs(np.fft.rfft(frames))).sum(0)
            self._frames += len(frames)

    def bandwidth_hz(self, step: float) -> float | None:
        """Return the highest frequency with a signal; None where the recording is too short or silent.

        ``step`` is the quantisation step, full scale being 1.
        """
        if not self._frames or not self._power.any():
            return None
        power = self._power / self._frames
        rounding = step**2 / 12 * float(np.square(self._window).sum()) * 10 ** (OVER_ROUNDING_DB / 10)
        width = max(1, round(SMOOTHING_HZ * self._length / self._rate))
        smooth = np.convolve(power, np.ones(width) / width, mode="same")
        floor = max(rounding, float(power.max()) * 10 ** (EMPTY_DB / 10))
        there = np.flatnonzero(smooth > floor)
        if not len(there):
            return None
        highest = there[-1] if there[-1] >= len(smooth) - width else max(0, there[-1] - width // 2)
        return float(highest * self._rate / self._length)

    def hum(self) -> tuple[float | None, float]:
        """Return the mains frequency with a peak and its share of the power, or None and 0 without one."""
        bin_hz = self._rate / self._length
        total = float(self._power.sum())
        for mains_hz in MAINS_HZ:
            centre = round(mains_hz / bin_hz)
            if not total or centre < 4:
                continue
            own = float(self._power[centre - 1 : centre + 2].sum())
            beside = np.r_[self._power[max(1, centre - 4) : centre - 1], self._power[centre + 2 : centre + 6]]
            least = LEAST_HUM if self._frames >= MANY_FRAMES else LEAST_HUM_IN_SHORT
            if own > HUM_OVER_NEIGHBOURS * 3 * float(np.median(beside)) and own > least * total:
                return mains_hz, own / total
        return None, 0.0
