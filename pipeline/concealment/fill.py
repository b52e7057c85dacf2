"""Filling gaps in a sound: continue what is before each, and backwards what is after it, until they meet.

Every way to continue (a model's, or one of `pipeline.concealment.extrapolation`) is treated alike: after 10
ms it fades towards silence, which offends less than a guess held for too long (ITU-T G.711 Appendix I). One
that is heard from the left alone, as a receiver must do it who cannot wait, goes on past the gap for 4 ms,
in which a raised cosine leads to what is there again. Where both sides are heard, a raised cosine leads
from one continuation to the other over the gap itself. All other samples stay as they are, bit for bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import fade_in, round_to_int16
from pipeline.concealment.gaps import Gaps

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]
Extrapolate = Callable[[Samples, int, int], Floats]
"""From samples (N,) heard so far, how many shall follow, and the sample rate, to those that may follow."""

HEARD_S = 0.3
LEAST_HEARD_S = 0.02
"""Less sound than this between a gap and the next is not continued backwards."""
OVERLAP_S = 0.004
HOLD_S, DECAY_S = 0.010, 0.050


@dataclass(frozen=True)
class GapFiller:
    """How gaps are filled: a continuation, and where it is given, one of the time-reversed sound after."""

    forward: Extrapolate
    backward: Extrapolate | None = None


def conceal(
    samples: Samples,
    gaps: Gaps,
    sample_rate: int,
    how: GapFiller,
    on_gap: Callable[[], object] = lambda: None,
) -> Samples:
    """Fill the ``gaps`` (G, 2) of ``samples`` (N,), whatever stands there now, from left to right.

    What was filled in before a gap is heard like sound; what is before the first sample is not, and a gap
    that has nothing on either side becomes silence. ``on_gap`` is called after each gap.

    Returns:
        A new array (N,), equal to ``samples`` outside of the gaps and, where only the left side is heard,
        of 4 ms after each.
    """
    found = samples.copy()
    next_gap = [*gaps[1:, 0].tolist(), len(samples)]
    for (start, stop), until in zip(gaps.tolist(), next_gap, strict=False):
        before = found[max(0, start - round(HEARD_S * sample_rate)) : start]
        after = samples[stop : min(until, stop + round(HEARD_S * sample_rate))]
        filled = _filled(before, stop - start, after, sample_rate, how)
        found[start : start + len(filled)] = round_to_int16(filled)
        on_gap()
    return found


def _filled(before: Samples, count: int, after: Samples, sample_rate: int, how: GapFiller) -> Floats:
    """What belongs into a gap of ``count`` samples, and the cross-fade after it, if any."""
    if how.backward is not None and len(after) >= LEAST_HEARD_S * sample_rate:
        backward = _fading(how.backward, after[::-1].copy(), count, sample_rate)[::-1]
        if not len(before):
            return backward
        rise = fade_in(count, first=1)
        return (1 - rise) * _fading(how.forward, before, count, sample_rate) + rise * backward
    overlap = after[: round(OVERLAP_S * sample_rate)]
    forward = _fading(how.forward, before, count + len(overlap), sample_rate)
    rise = fade_in(len(overlap), first=1)
    forward[count:] = (1 - rise) * forward[count:] + rise * overlap
    return forward


def _fading(continuation: Extrapolate, history: Samples, count: int, sample_rate: int) -> Floats:
    """A continuation that fades: held for 10 ms, then smaller by the factor e every 50 ms."""
    if not len(history):
        return np.zeros(count)
    late_s = np.maximum(0, np.arange(count) / sample_rate - HOLD_S)
    return continuation(history, count, sample_rate) * np.exp(-late_s / DECAY_S)
