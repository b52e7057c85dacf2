"""Frames and short-time magnitude spectra of samples in memory, in double precision."""

from typing import Any

import numpy as np
import numpy.typing as npt


def frames_of(values: npt.NDArray[Any], size: int, hop: int) -> npt.NDArray[Any]:
    """Return overlapping frames (K, size) of values (N,), without a copy; the values fill at least one frame.

    Args:
        values: any values, padded with zeros to ``size`` where there are fewer.
        size: values of a frame.
        hop: values between the starts of two frames; those after the last whole frame are left out.

    Example:
        >>> import numpy as np
        >>> frames_of(np.arange(5), 3, 2).tolist()
        [[0, 1, 2], [2, 3, 4]]
    """
    padded = np.pad(values, (0, max(0, size - len(values))))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]


def short_time_magnitudes(
    samples: npt.NDArray[np.floating[Any]], window: npt.NDArray[np.float64], hop: int
) -> npt.NDArray[np.float64]:
    """Return the magnitudes of the Fourier transforms (K, size // 2 + 1) of windowed frames.

    Args:
        samples: samples (N,), full scale 1.
        window: weights of a frame's samples (size,).
        hop: samples between the starts of two frames.
    """
    magnitudes: npt.NDArray[np.float64] = np.abs(np.fft.rfft(frames_of(samples, len(window), hop) * window))
    return magnitudes
