"""Continuations of sound that need no trained model: nothing, the last period again, a linear predictor.

Each takes the samples before a gap and gives those that may follow, as floats: what
`pipeline.concealment.fill` fills gaps with.
"""

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import fade_in

Floats = npt.NDArray[np.float64]

PITCH_HZ = (66, 200)  # ITU-T G.711 Appendix I looks for periods of 5 to 15 ms
PITCH_WINDOW_S = 0.020
ORDER = 128
FITTED_S = 0.2


def silence(history: npt.NDArray[np.int16], count: int, sample_rate: int) -> Floats:
    """Zeros (count,): what a decoder without concealment plays."""
    return np.zeros(count)


def repetition(history: npt.NDArray[np.int16], count: int, sample_rate: int) -> Floats:
    """Repeat the last pitch period of ``history`` (N,) for ``count`` samples, after ITU-T G.711 Appendix I.

    The period is the lag of 5 to 15 ms at which the last 20 ms resemble themselves most. Its last quarter
    fades into what came before its beginning, so that repeats join. The standard fades the seam to the left,
    too, which costs it a delay; here the step that is left there fades out over a quarter of the period.
    One period is repeated throughout, where the standard goes to two and three.
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
    """Samples in the last pitch period of ``history`` (N,); 0 where that is too short to say."""
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
    """Let a linear predictor of order 128, fitted to the last 0.2 s of ``history`` (N,), run on by itself.

    The coefficients are Burg's (1967): of all ways to fit them it is the one that stays stable without a
    window, which would blur the very end that is to be continued.
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
    """Coefficients (order + 1,) of the prediction error filter 1, a_1, ... a_order of ``samples`` (N,).

    What `librosa.lpc` computes, whose import takes longer than filling a minute of gaps, and without its
    noise on top of perfectly predictable samples.
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
