"""How the integers of a recording become places among the values that a coder gives probability to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adaptive.cells import Cells, cells_of, integer_cells
from pipeline.audio.pcm import SAMPLE_BITS, unused_bits
from pipeline.coding.occurring import Histogram, packed_values, unpacked_values


@dataclass(frozen=True)
class Layout:
    """The division of integers into unused bits, what is coded, and bits below that.

    Attributes:
        unused: lowest bits, which are 0 in all integers.
        below: bits above these that are not coded but kept as they are.
        occurring: (M,) the integers that may occur, without their unused bits, in increasing order; None
            where all may.
        cells: the M values that stand for what is coded.
        step: 16-bit quantisation steps in a unit of the cells.
        packed: ``occurring`` in bytes.
    """

    unused: int
    below: int
    occurring: NDArray[np.int64] | None
    cells: Cells
    step: float
    packed: bytes

    def places(self, integers: NDArray[Any]) -> NDArray[np.int64]:
        """Return the place of each integer, which may occur, among the M values.

        Example:
            >>> layout_of(16, 8, b"").places(np.array([-32768, 0, 256])).tolist()
            [0, 128, 129]
        """
        used = integers.astype(np.int64) >> self.unused
        if self.occurring is None:
            return (used >> self.below) + len(self.cells.values) // 2
        return np.searchsorted(self.occurring, used).astype(np.int64)

    def below_of(self, integers: NDArray[Any]) -> NDArray[Any]:
        """Return the bits of integers that are not coded."""
        kept: NDArray[Any] = (integers >> self.unused) & ((1 << self.below) - 1)
        return kept

    def integers(self, places: NDArray[np.int64], below: NDArray[Any] | int = 0) -> NDArray[np.int64]:
        """Return the integers of places and of the bits that were not coded."""
        coded = places - len(self.cells.values) // 2 if self.occurring is None else self.occurring[places]
        found: NDArray[np.int64] = ((coded << self.below) + below) << self.unused
        return found


def layout_of(depth: int, unused: int, packed: bytes) -> Layout:
    """Return the layout of a recording.

    Args:
        depth: bits of an integer.
        unused: number of the lowest bits that are 0 in all integers.
        packed: the integers that may occur, without these bits, as `pipeline.coding.occurring` packs them;
            empty for any.

    Raises:
        ValueError: ``packed`` is damaged.
    """
    used = depth - unused
    if not packed:
        bits = min(used, SAMPLE_BITS)
        return Layout(unused, used - bits, None, integer_cells(bits), 2.0 ** (SAMPLE_BITS - bits), packed)
    occurring = unpacked_values(packed, used)
    bits = 1 + max(int(occurring[-1]), ~int(occurring[0]), 0).bit_length()
    beyond = max(0, bits - SAMPLE_BITS)  # the experts' numbers are within those of 16 bits
    step = 2.0 ** (SAMPLE_BITS - used + beyond)
    return Layout(unused, 0, occurring, cells_of(occurring / 2.0**beyond), step, packed)


def best_layout(depth: int, histogram: Histogram) -> Layout:
    """Return the layout that codes a recording with the fewest bits.

    Args:
        depth: bits of an integer.
        histogram: of all integers of the recording.
    """
    unused, found = unused_bits(histogram.combined, depth), histogram.found()
    if found is None:
        return layout_of(depth, unused, b"")
    integers, counts = found
    packed = packed_values(integers >> unused, counts, max(0, depth - unused - SAMPLE_BITS))
    return layout_of(depth, unused, packed)


def layout_of_samples(samples: NDArray[Any]) -> Layout:
    """Return the layout that codes 16-bit samples (N,) with the fewest bits."""
    histogram = Histogram(SAMPLE_BITS)
    histogram.add(samples)
    return best_layout(SAMPLE_BITS, histogram)
