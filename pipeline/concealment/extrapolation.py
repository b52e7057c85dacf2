"""Extrapolation of sound without a trained model: silence, pitch repetition, linear prediction.

Each function returns samples that may follow those before a gap, as floats, for `pipeline.concealment.fill`.
"""

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import fade_in

Floats = npt.NDArray[np.float64]

PITCH_HZ = (66, 200)  # ITU-T G.711 Appendix I searches periods of 5 to 15 ms
PITCH_WINDOW_S = 0.020
ORDER = 128
FITTED_S = 0.2


def silence(history: npt.NDArray[np.int16], count: int, sample_rate: int) -> Floats:
    """Return zeros (count,), the output of a decoder without concealment; arguments as in `repetition`."""
    return np.zeros(count)


def repetition(history: npt.NDArray[np.int16], count: int, sample_rate: int) -> Floats:
    """Repeat the last pitch period of ``history`` (N,) for ``count`` samples, after ITU-T G.711 Appendix I.

    The period is the lag of 5 to 15 ms with the largest normalised autocorrelation of the last 20 ms. Its
    last quarter fades into the samples before the period, so that repetitions join smoothly. The standard
    also fades the left seam, which needs a delay. Here the remaining step fades out over a quarter of the
    period. One period is repeated throughout, while the standard continues with two and three periods.

    Args:
        history: int16 samples (N,) before the gap.
        count: number of samples to return.
        sample_rate: in Hz.

    Returns:
        Samples (count,); zeros where ``history`` is too short for a pitch period.
    """
    period = pitch_period(history, sample_rate)
    if not period:
        return np.zeros(count)
    last, before = (history[len(history) - n * period :][:period].astype(np.float64) for n in (1, 2))
    quarter = period // 4
    rising = fade_in(quarter, first=1)
    joined = last.copy()
    joined[period - quarter :] += rising * (before - last)[period - quarter :]
    repeated = joined[np.arange(count) % period]
    step = (last[-1] - before[-1]) * rising[::-1]
    repeated[:quarter] += step[:count]
    return repeated


def pitch_period(history: npt.NDArray[np.int16], sample_rate: int) -> int:
    """Return the length in samples of the last pitch period of ``history`` (N,); 0 where it is too short."""
    shortest, longest = (round(sample_rate / hz) for hz in reversed(PITCH_HZ))
    window = min(round(PITCH_WINDOW_S * sample_rate), len(history) - longest)
    if window < shortest or len(history) < 2 * longest:
        return 0
    recent = history[len(history) - longest - window :].astype(np.float64)
    now = recent[longest:]
    shifted = np.lib.stride_tricks.sliding_window_view(recent, window)[longest - shortest :: -1]
    likeness = (shifted @ now) / np.sqrt(np.square(shifted).sum(-1) + 1.0)
    return shortest + int(likeness.argmax())


def autoregression(history: npt.NDArray[np.int16], count: int, sample_rate: int) -> Floats:
    """Extrapolate by a linear predictor of order 128, fitted to the last 0.2 s of ``history`` (N,).

    The coefficients are Burg's (1967). His method gives a stable predictor without a window. A window would
    attenuate the end of the history, which is the part to be continued.

    Args:
        history: int16 samples (N,) before the gap.
        count: number of samples to return.
        sample_rate: in Hz.

    Returns:
        Samples (count,); zeros where ``history`` is silent or too short.
    """
    recent = history[-round(FITTED_S * sample_rate) :].astype(np.float64)
    order = min(ORDER, len(recent) // 3)
    if not order or not recent.any():
        return np.zeros(count)
    predictor = -burg(recent, order)[:0:-1]
    continued = np.concatenate([recent[-order:], np.zeros(count)])
    for n in range(count):
        continued[order + n] = predictor @ continued[n : n + order]
    return continued[order:]


def burg(samples: Floats, order: int) -> Floats:
    """Return the prediction error filter (order + 1,), 1, a_1, ... a_order, of ``samples`` (N,).

    `librosa.lpc` computes the same filter, but its import takes longer than filling a minute of gaps, and it
    adds noise to perfectly predictable samples.
    """
    forward, backward = samples[1:], samples[:-1]
    error_filter = np.ones(1)
    for _ in range(order):
        power = forward @ forward + backward @ backward
        reflection = -2 * (forward @ backward) / power if power > 0 else 0.0
        error_filter = np.append(error_filter, 0.0)
        error_filter = error_filter + reflection * error_filter[::-1]
        forward, backward = (forward + reflection * backward)[1:], (backward + reflection * forward)[:-1]
    return error_filter
