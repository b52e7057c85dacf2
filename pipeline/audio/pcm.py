"""16-bit samples: their scale, conversion to and from amplitudes, other sample rates, and fades.

An amplitude is a float of which 1 is full scale. 16-bit samples are integers of `INT16_SCALE` steps per unit.
"""

from collections.abc import Iterable, Iterator
from typing import Any, overload

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.floating[Any]]

INT16_SCALE = 32_768
"""Full scale of 16-bit audio: sample values are integers divided by this."""

SAMPLE_BITS = 16

INT16_STEP = 1 / INT16_SCALE
"""The quantisation step of 16-bit audio, as an amplitude."""


def to_float(samples: npt.NDArray[Any], dtype: type[np.floating[Any]] = np.float32) -> Floats:
    """Return 16-bit samples (...) as amplitudes, which is exact in single precision, too."""
    amplitudes: Floats = np.divide(samples, INT16_SCALE, dtype=dtype)
    return amplitudes


def to_int16(amplitudes: Floats) -> Samples:
    """Round amplitudes (...) to the nearest of the 65,536 steps, and clip what lies beyond full scale."""
    return round_to_int16(amplitudes * INT16_SCALE)


def round_to_int16(steps: Floats) -> Samples:
    """Round numbers (...) on the scale of 16-bit samples to the nearest sample, and clip what lies beyond."""
    whole = np.rint(steps)
    return np.clip(whole, -INT16_SCALE, INT16_SCALE - 1, out=whole).astype(np.int16)


@overload
def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples: ...
@overload
def resample(samples: Floats, from_rate: int, to_rate: int) -> Floats: ...
def resample(samples: npt.NDArray[Any], from_rate: int, to_rate: int) -> npt.NDArray[Any]:
    """Return a whole sound (N,) or (N, C) at another sample rate in Hz, of the same type.

    The samples are returned unchanged where both rates are equal. 16-bit samples are converted as floats
    and rounded, since libsoxr would add dither to integers.
    """
    if from_rate == to_rate:
        return samples
    import soxr

    if samples.dtype == np.int16:
        return to_int16(soxr.resample(to_float(samples), from_rate, to_rate))
    return np.asarray(soxr.resample(samples, from_rate, to_rate))


def resample_blocks(blocks: Iterable[Floats], from_rate: int, to_rate: int) -> Iterator[Floats]:
    """Yield a sound in blocks (n,) at another sample rate in Hz, as float32; unchanged at the same rate."""
    if from_rate == to_rate:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block.astype(np.float32, copy=False))
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def unused_bits(combined: int, depth: int) -> int:
    """Return how many of the lowest bits are 0 in all samples, as in 8-bit sounds that are stored in 16 bits.

    Args:
        combined: bitwise OR of all samples.
        depth: bits of a sample.

    Returns:
        The number of bits, at most ``depth`` - 1, which it is for digital silence.

    Example:
        >>> unused_bits(512 | 1280 | -256, 16)
        8
    """
    lowest = combined & -combined
    return min(lowest.bit_length() - 1, depth - 1) if lowest else depth - 1


def fade_in(count: int, first: float = 0.5) -> npt.NDArray[np.float64]:
    """Return the weights (count,) of a raised cosine that rises between 0 and 1.

    Reversed, they are those of the fade-out: both add up to 1. The weight is 0 at the position 0, and the
    samples lie at ``first``, ``first`` + 1, ... With 1/2 the fade is ``count`` samples long. With 1 the
    sample before the first would have the weight 0, and the one behind the last the weight 1.
    """
    position = np.arange(count) + first
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * position / (count - 1 + 2 * first)))
