"""Which integers occur in a recording: counted, chosen where they shorten its code, and packed into bytes.

PCM that was scaled after its quantisation has values that never occur. A coder that knows them gives
probability only to the others. The set is worth its bytes where values are common. So it is restricted to a
stretch of integers, and outside of that all may occur.

    1 byte    bit 0: all integers below the first may occur, too; bit 1: all above the last
    4         first integer of the stretch, signed
    4         number of its integers
    ...       gaps between them (`pipeline.coding.gaps`)

All numbers are little-endian.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.coding.gaps import pack_gaps, unpack_gaps

Integers = NDArray[np.int64]

MOST_VALUES = 1 << 16
"""Largest number of integers that may occur."""

_HEAD = struct.Struct("<BiI")
_BELOW, _ABOVE = 1, 2
_CREDIT = 0.9  # of the estimated gain, so that a set that is hardly worth its bytes is left out
_LEAST_GAIN = 8 * 32  # bits
_COUNTED_BITS = 16


class Histogram:
    """How often each integer occurs in a recording, as long as different ones are few enough.

    Args:
        depth: bits of an integer, at most 32.

    Attributes:
        combined: bitwise OR of all integers so far.
    """

    def __init__(self, depth: int) -> None:
        self.combined = 0
        self._half = 1 << (depth - 1)
        self._counts = np.zeros(2 * self._half if depth <= _COUNTED_BITS else 0, np.int64)
        self._found: tuple[Integers, Integers] | None = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def add(self, integers: NDArray[Any]) -> None:
        """Count more integers, of any shape."""
        self.combined |= int(np.bitwise_or.reduce(integers, None, initial=0))
        if len(self._counts):
            self._counts += np.bincount(
                integers.reshape(-1).astype(np.int64) + self._half, minlength=len(self._counts)
            )
        elif self._found is not None:
            values, counts = np.unique(integers, return_counts=True)
            self._found = _joined(self._found, (values.astype(np.int64), counts.astype(np.int64)))

    def found(self) -> tuple[Integers, Integers] | None:
        """Return the integers that occur, in increasing order, and their counts; None where they are many."""
        if not len(self._counts):
            return self._found
        places = np.flatnonzero(self._counts)
        return places - self._half, self._counts[places]


def _joined(
    first: tuple[Integers, Integers], second: tuple[Integers, Integers]
) -> tuple[Integers, Integers] | None:
    values, places = np.unique(np.concatenate([first[0], second[0]]), return_inverse=True)
    if len(values) > MOST_VALUES:
        return None
    counts = np.bincount(places, np.concatenate([first[1], second[1]])).astype(np.int64)
    return values, counts


def packed_values(values: Integers, counts: Integers, below: int = 0) -> bytes:
    """Return the integers that may occur, packed, or nothing where that would not shorten the code.

    The estimate is that of a coder whose distributions are wide compared with the gaps. It then gains the
    logarithm of the width of each sample's interval.

    Args:
        values: (M,) the integers that occur, in increasing order.
        counts: (M,) how often each does.
        below: lowest bits that are packed by themselves where there is no set. With such bits, a set has no
            other integers than those that occur.
    """
    beside = np.concatenate([values[:1] - 1, values, values[-1:] + 1])
    widths = (beside[2:] - beside[:-2]) / 2
    if not (widths > 1).any():
        return b""
    gains = _CREDIT * counts * np.log2(widths)
    saved = 0.0  # by packing the bits below by themselves
    if below:
        begin, end = 0, len(values)
        saved = counts.sum() * below - _entropy(values & ((1 << below) - 1), counts)
    else:
        costs = np.concatenate([[0.0], pack_gaps(np.diff(values))[1]])
        begin, end = _best_stretch(gains - costs)
        if begin == end:
            return b""
    inside, flags = values[begin:end], _BELOW * (begin > 0) + _ABOVE * (end < len(values))
    packed = _HEAD.pack(flags, int(inside[0]), len(inside)) + pack_gaps(np.diff(inside))[0]
    gain = gains[begin:end].sum() - saved - 8 * len(packed)
    return packed if gain > _LEAST_GAIN else b""


def _entropy(values: Integers, counts: Integers) -> float:
    """Return the bits of all values of a recording, each by itself, from integers and their counts."""
    _, places = np.unique(values, return_inverse=True)
    of_value = np.bincount(places, counts)
    return float((of_value * np.log2(of_value.sum() / of_value)).sum())


def _best_stretch(gains: NDArray[np.float64]) -> tuple[int, int]:
    """Return begin and end of the stretch with the largest sum."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums)
    end = int(np.argmax(sums - lowest))
    return int(np.argmin(sums[: end + 1])), end


def unpacked_values(packed: bytes, depth: int) -> Integers:
    """Return all integers that may occur, in increasing order.

    Args:
        packed: what `packed_values` returned, not nothing.
        depth: bits of an integer.

    Raises:
        ValueError: the bytes name no set of at least one integer of this depth, or too large a set.
    """
    lowest, highest = -(1 << (depth - 1)), (1 << (depth - 1)) - 1
    if len(packed) < _HEAD.size:
        raise ValueError("too few bytes")
    flags, first, count = _HEAD.unpack_from(packed)
    if not 0 < count <= MOST_VALUES or not lowest <= first <= highest or flags > _BELOW + _ABOVE:
        raise ValueError("a number is out of range")
    gaps = unpack_gaps(packed[_HEAD.size :], count - 1)
    inside = first + np.concatenate([[0], np.cumsum(gaps)])
    last = int(inside[-1])
    below, above = first - lowest if flags & _BELOW else 0, highest - last if flags & _ABOVE else 0
    if last > highest or below + count + above > MOST_VALUES:
        raise ValueError("a number is out of range")
    return np.concatenate(
        [np.arange(first - below, first), inside, np.arange(last + 1, last + 1 + above)]
    ).astype(np.int64)
