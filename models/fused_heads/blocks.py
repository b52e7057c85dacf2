"""Blocks of rows in which heads are trained: their layout, and products on them.

A block is an array (numbers, ROWS): what is computed of a row lies in one column, so that every loop over a
number is one over rows side by side, and none adds up a vector. All arrays are flat.
"""

from typing import Any

from numpy.typing import NDArray

from models.compiled.simd import compiled
from models.fused.tiles import LANES, MOST_ROWS, tile_of_four, tile_of_most

Array = NDArray[Any]

ROWS = 64
"""Rows of a block, a multiple of LANES."""


@compiled
def product(
    x: Array,
    x0: int,
    x_row: int,
    x_term: int,
    rows: int,
    w: Array,
    w0: int,
    w_term: int,
    panels: int,
    terms: int,
    start: Array,
    s0: int,
    s_row: int,
    s_panel: int,
    out: Array,
    o0: int,
    o_row: int,
) -> None:
    """Write start + x w for ``rows``, rounded up to a multiple of four, and panels of LANES columns.

    All arrays are flat. Each comes with the place of its first number and its strides between rows, terms and
    panels. A ``start`` with strides 0 is the same for all.
    """
    r = 0
    while r < rows:
        most = rows - r >= MOST_ROWS
        for panel in range(panels):
            column = panel * LANES
            if most:
                tile_of_most(
                    x, x0 + r * x_row, x_row, x_term, w, w0 + column, w_term,
                    start, s0 + r * s_row + panel * s_panel, s_row, out, o0 + r * o_row + column, o_row, terms,
                )  # fmt: skip
            else:
                tile_of_four(
                    x, x0 + r * x_row, x_row, x_term, w, w0 + column, w_term,
                    start, s0 + r * s_row + panel * s_panel, s_row, out, o0 + r * o_row + column, o_row, terms,
                )  # fmt: skip
        r += MOST_ROWS if most else 4


@compiled
def load_columns(source: Array, first: int, last: int, block: Array, width: int) -> None:
    """Write rows ``first`` to ``last`` of a matrix (N, width) to a block; what is left of it becomes 0."""
    zero = block.dtype.type(0)
    for j in range(width):
        column = block[j * ROWS : (j + 1) * ROWS]
        for r in range(ROWS):
            column[r] = source[first + r, j] if r < last - first else zero
