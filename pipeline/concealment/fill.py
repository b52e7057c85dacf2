"""Gap filling by extrapolation from the sound before a gap and, optionally, backwards from the sound after.

Every extrapolation (a model's, or one of `pipeline.concealment.extrapolation`) is treated alike. After 10 ms
it fades towards silence, as in ITU-T G.711 Appendix I, since a long extrapolation is less acceptable. Without
a delay only the left side is available. Its extrapolation then continues for 4 ms after the gap, where a
raised cosine fades it into the received samples. With both sides, a raised cosine over the gap fades from one
extrapolation to the other. All other samples are unchanged, bit for bit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import fade_in, round_to_int16
from pipeline.audio.spooled import Sound, blocks_of, in_memory
from pipeline.concealment.gaps import Gaps

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]
Extrapolate = Callable[[Samples, int, int], Floats]
"""Function of the previous samples (N,), a count and the sample rate in Hz; returns the next samples."""

CONTEXT_S = 0.3
LEAST_CONTEXT_S = 0.02
"""Shortest sound between two gaps that is extrapolated backwards."""
OVERLAP_S = 0.004
HOLD_S, DECAY_S = 0.010, 0.050


@dataclass(frozen=True)
class GapFiller:
    """Extrapolations that fill gaps: of the sound before, and optionally of the reversed sound after."""

    forward: Extrapolate
    backward: Extrapolate | None = None


def conceal(
    samples: Samples,
    gaps: Gaps,
    sample_rate: int,
    how: GapFiller,
    on_gap: Callable[[], object] = lambda: None,
) -> Samples:
    """Fill the gaps of a sound, from left to right.

    The samples that filled a gap are a part of the next gap's history. A gap without any sound beside it
    becomes silence.

    Args:
        samples: int16 samples (N,); those in gaps are ignored.
        gaps: first and last + 1 sample of each gap (G, 2).
        sample_rate: in Hz.
        how: extrapolation that fills the gaps.
        on_gap: called after each gap.

    Returns:
        A new array (N,). It equals ``samples`` outside of the gaps and, where only the left side is used,
        outside of the 4 ms after each.
    """
    filled = list(conceal_blocks(samples, gaps, sample_rate, how, on_gap))
    return np.concatenate(filled) if filled else samples.copy()


def conceal_blocks(
    samples: Sound,
    gaps: Gaps,
    sample_rate: int,
    how: GapFiller,
    on_gap: Callable[[], object] = lambda: None,
) -> Iterator[Samples]:
    """Yield a sound with filled gaps in blocks (n,); see `conceal`.

    Args:
        samples: int16 samples (N,), in memory or in a file.
        gaps, sample_rate, how, on_gap: see `conceal`.
    """
    context = round(CONTEXT_S * sample_rate)
    before, done = np.zeros(0, np.int16), 0

    def passed(block: Samples) -> Samples:
        nonlocal before, done
        before = np.concatenate([before, block])[-context:]
        done += len(block)
        return block

    next_gap = [*gaps[1:, 0].tolist(), len(samples)]
    for (start, stop), until in zip(gaps.tolist(), next_gap, strict=False):
        yield from map(passed, blocks_of(samples[done:start]))
        after = in_memory(samples[stop : min(until, stop + context)])
        yield passed(round_to_int16(_filled(before, stop - start, after, sample_rate, how)))
        on_gap()
    yield from map(passed, blocks_of(samples[done:]))


def _filled(before: Samples, count: int, after: Samples, sample_rate: int, how: GapFiller) -> Floats:
    """Return the samples of a gap of ``count`` samples, and of the cross-fade after it, if any."""
    if how.backward is not None and len(after) >= LEAST_CONTEXT_S * sample_rate:
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
    """Return an extrapolation that fades: constant for 10 ms, then reduced by the factor e every 50 ms."""
    if not len(history):
        return np.zeros(count)
    late_s = np.maximum(0, np.arange(count) / sample_rate - HOLD_S)
    return continuation(history, count, sample_rate) * np.exp(-late_s / DECAY_S)
