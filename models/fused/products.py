"""Matrix products by tiles, over rows of flat arrays, and the layouts of weights that they read."""

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from models.compiled.simd import compiled, inlined, prefetch
from models.fused.half import add_outer_words, multiply_words
from models.fused.tiles import LANES, move_lanes, product

Array = NDArray[Any]
Shape = tuple[int, int, int, int]
"""B, T, D, H."""

_DEPTH = 128
"""Terms that a weight gradient adds in one go: a panel of so many stays in the first cache, and all panels of
a layer in the second."""

_CHUNK = 256
"""Rows of a weight gradient that are added at once: what they read stays in the second cache."""

_ROWS_AHEAD = 4
"""A row is called for while so many before it are copied."""


@inlined
def padded(size: int) -> int:
    """Return the multiple of LANES from ``size`` on."""
    return (size + LANES - 1) // LANES * LANES


@inlined
def even(count: int) -> int:
    """Return the even number from ``count`` on: packed weights have a whole number of pairs of terms."""
    return count + count % 2


@inlined
def copy(source: Array, target: Array, count: int) -> None:
    """Copy the first numbers of a flat array."""
    for i in range(count):
        target[i] = source[i]


@inlined
def expect(source: Array, first: int, count: int) -> None:
    """Begin to read numbers that are needed soon, without waiting for them."""
    for place in range(first, first + count + LANES, LANES):
        prefetch(source, place)


@inlined
def add(source: Array, target: Array, count: int) -> None:
    """Add the first numbers of a flat array to those of another."""
    for i in range(count):
        target[i] += source[i]


@compiled
def multiply_floats(
    x: Array,
    x0: int,
    x_row: int,
    rows: int,
    w: Array,
    w0: int,
    w_panel: int,
    panels: int,
    terms: int,
    start: Array,
    s0: int,
    s_row: int,
    out: Array,
    o0: int,
    o_row: int,
) -> None:
    """Write start + x w, for rows of ``terms`` numbers and weights in panels (panels, terms, LANES).

    All arrays are flat. Each comes with the place of its first number, and with its stride between rows or
    panels. A ``start`` of stride 0 is one row for all.
    """
    product(
        x, x0, x_row, 1, rows, w, w0, LANES, w_panel, panels, start, s0, s_row, LANES, out, o0, o_row, terms
    )


def multiply(*arguments: Any) -> None:
    """Do what `multiply_floats` does, or `multiply_words` where the weights are words."""
    form = multiply_floats if arguments[4].dtype.kind == "f" else multiply_words
    form(*arguments)


@overload(multiply, strict=False)
def _multiply(
    x: Any,
    x0: Any,
    x_row: Any,
    rows: Any,
    w: Any,
    w0: Any,
    w_panel: Any,
    panels: Any,
    terms: Any,
    start: Any,
    s0: Any,
    s_row: Any,
    out: Any,
    o0: Any,
    o_row: Any,
) -> Any:
    form = multiply_floats if isinstance(w.dtype, types.Float) else multiply_words

    def run(
        x: Any,
        x0: int,
        x_row: int,
        rows: int,
        w: Any,
        w0: int,
        w_panel: int,
        panels: int,
        terms: int,
        start: Any,
        s0: int,
        s_row: int,
        out: Any,
        o0: int,
        o_row: int,
    ) -> None:
        form(x, x0, x_row, rows, w, w0, w_panel, panels, terms, start, s0, s_row, out, o0, o_row)

    return run


class Read(NamedTuple):
    """What weights are multiplied with at each step: inputs, states, or both side by side. All are flat.

    Attributes:
        inputs: (B, T, width); width is 0 where only states are read.
        width: see above.
        states: where the states lie, which are those before each step if ``before`` holds any.
        first: place of the first of them.
        stride: distance between those of two steps.
        size: numbers of a state, or 0 where only inputs are read.
        before: (B, size), states before the first step, or empty.
        steps: T.
    """

    inputs: Array
    width: int
    states: Array
    first: int
    stride: int
    size: int
    before: Array
    steps: int


@inlined
def _gather(read: Read, n: int, row: Array) -> None:
    """Write what is read at step n = (b, t) to a row."""
    width, size = read.width, read.size
    copy(read.inputs[n * width :], row, width)
    if not read.before.size:
        copy(read.states[read.first + n * read.stride :], row[width:], size)
    elif n % read.steps:
        copy(read.states[read.first + (n - 1) * read.stride :], row[width:], size)
    else:
        copy(read.before[n // read.steps * size :], row[width:], size)


@compiled
def add_outer_products(
    read: Read,
    g: Array,
    g0: int,
    g_row: int,
    count: int,
    out: Array,
    out_row: int,
    first_panel: int,
    last_panel: int,
    half: int | None,
) -> None:
    """Add to out[i, m] the sum of read[n, i] g[n, m] over ``count`` steps n, for some panels of m.

    Numbers are first copied to where they follow each other: in their own places, what one tile reads lies on
    more pages of memory than the processor finds without a search.

    Args:
        read: what is read. Its width is rounded up to a multiple of four, so the rows of ``out`` from there
            on may be anything.
        g: flat, with rows of a stride ``g_row`` from ``g0`` on.
        g0, g_row, count: see above.
        out: flat, with rows of ``out_row`` numbers.
        out_row: see above.
        first_panel, last_panel: range of panels.
        half: not None to round all that is read to bfloat16.
    """
    width = read.width + read.size
    rows, panels, to = (width + 3) // 4 * 4, last_panel - first_panel, first_panel * LANES
    chunk = min(rows, _CHUNK) if half is None else rows
    step = (
        _DEPTH + 1
    ) * LANES  # one line more, or the first cache would keep all panels in few of its places
    row = np.zeros(rows, g.dtype)
    a_copy, g_copy = np.empty(_DEPTH * rows, g.dtype), np.empty(panels * step, g.dtype)
    for begin in range(0, count, _DEPTH):
        terms = min(_DEPTH, count - begin)
        first = g0 + begin * g_row
        for n in range(terms):
            _gather(read, begin + n, row)
            for top in range(0, rows, chunk):
                own = min(chunk, rows - top)
                copy(row[top:], a_copy[top * _DEPTH + n * own :], own)
            at = first + n * g_row + to
            expect(g, at + _ROWS_AHEAD * g_row, panels * LANES)
            if half is None:
                for panel in range(panels):
                    move_lanes(g, at + panel * LANES, g_copy, panel * step + n * LANES)
        if half is None:
            for top in range(0, rows, chunk):
                own, place = min(chunk, rows - top), to + top * out_row
                product(
                    a_copy, top * _DEPTH, 1, own, own, g_copy, 0, LANES, step, panels,
                    out, place, out_row, LANES, out, place, out_row, terms,
                )  # fmt: skip
        else:
            add_outer_words(
                a_copy, rows, width, g, first, g_row, terms, out, out_row, first_panel, last_panel
            )


@compiled
def pack_rows(
    weights: Array, packed: Array, first_term: int, end_term: int, first_panel: int, last_panel: int
) -> None:
    """Write weights (M, K) to some of the panels (padded(M) / LANES, terms, LANES), from a term on.

    A lane is a row of the weights, so a product with the panels is one with the transposed weights. What is
    behind M and K, up to ``end_term``, becomes zero.
    """
    rows, terms = weights.shape
    for panel in range(first_panel, last_panel):
        to, some = packed[panel, first_term:end_term], weights[panel * LANES :]
        lanes = min(LANES, rows - panel * LANES)
        to[terms:] = 0
        to[:, lanes:] = 0
        for lane in range(lanes):
            for k in range(terms):
                to[k, lane] = some[lane, k]


@compiled
def pack_columns(
    weights: Array, packed: Array, first_term: int, end_term: int, first_panel: int, last_panel: int
) -> None:
    """Write weights (M, K) to some of the panels (padded(K) / LANES, all M, LANES), from a term on.

    What is behind M, up to ``end_term``, and behind K becomes zero.
    """
    terms, columns = weights.shape
    whole = max(first_panel, min(last_panel, columns // LANES))
    for m in range(terms):
        for panel in range(first_panel, whole):
            to, source = packed[panel, first_term + m], weights[m, panel * LANES :]
            for lane in range(LANES):
                to[lane] = source[lane]
        for panel in range(whole, last_panel):
            for lane in range(LANES):
                column = panel * LANES + lane
                packed[panel, first_term + m, lane] = weights[m, column] if column < columns else 0
    packed[first_panel:last_panel, first_term + terms : end_term] = 0


@compiled
def unpack_columns(table: Array, out: Array, place: int, first: int, last: int) -> None:
    """Write columns of a table as rows ``first`` to ``last`` of ``out`` (M, K): row m is column place + m."""
    for begin in range(first, last, LANES):
        for k in range(out.shape[1]):
            for m in range(begin, min(begin + LANES, last)):
                out[m, k] = table[k, place + m]
