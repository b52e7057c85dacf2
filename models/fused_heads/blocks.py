"""Blocks of rows in which heads are trained: their layout, and products on them.

A block is an array (numbers, ROWS): what is computed of a row lies in one column, so that every loop over a
number is one over rows side by side, and none adds up a vector. All arrays are flat.
"""

from typing import Any

from numpy.typing import NDArray

from models.compiled.simd import compiled, inlined
from models.fused.products import copy
from models.fused.tiles import LANES

Array = NDArray[Any]

ROWS = 64
"""Rows of a block, a multiple of LANES."""


@inlined
def fill(target: Array, number: float, count: int) -> None:
    """Write a number to the first places of a flat array."""
    kept = target.dtype.type(number)
    for i in range(count):
        target[i] = kept


@compiled
def load_columns(source: Array, first: int, last: int, block: Array, width: int) -> None:
    """Write rows ``first`` to ``last`` of a matrix (N, width) to a block; what is left of it becomes 0."""
    zero = block.dtype.type(0)
    for j in range(width):
        column = block[j * ROWS : (j + 1) * ROWS]
        for r in range(ROWS):
            column[r] = source[first + r, j] if r < last - first else zero


@compiled
def load_hidden(
    hidden: Array,
    strides: tuple[int, int, int],
    first: int,
    last: int,
    width: int,
    panels: Array,
    rows: Array,
) -> None:
    """Write hidden vectors and a 1 behind each, as ``rows``, and as columns of ``panels`` of LANES.

    ``strides`` are T, and the distances in ``hidden`` between sequences and between steps.
    """
    steps, of_sequence, of_step = strides
    row, count = rows.size // ROWS, last - first
    for r in range(count):
        at = (first + r) // steps * of_sequence + (first + r) % steps * of_step
        copy(hidden[at:], rows[r * row :], width)
        fill(rows[r * row + width :], 1.0, 1)
        fill(rows[r * row + width + 1 :], 0.0, row - width - 1)
    fill(rows[count * row :], 0.0, (ROWS - count) * row)
    for r in range(ROWS):
        source, column = rows[r * row :], panels[(r // LANES * (width + 1)) * LANES + r % LANES :]
        for j in range(width + 1):
            column[j * LANES] = source[j]


@compiled
def load_mask(
    mask: Array, first: int, last: int, factor: float, size: int, present: Array, weight: Array
) -> None:
    """Write a mask as numbers (D) of a block, and the factor of each row: 0 where nothing is present."""
    everything = mask.size == 0
    fill(weight, 0.0, ROWS)
    fill(present, 1.0 if everything else 0.0, size * ROWS)
    for r in range(last - first):
        if everything:
            weight[r] = factor
        else:
            for n in range(size):
                if mask[first + r, n]:
                    present[n * ROWS + r] = 1.0
                    weight[r] = factor
