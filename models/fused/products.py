"""Matrix products by tiles, over rows of flat arrays, and the layouts of weights that they read."""

from typing import Any

from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from models.compiled.simd import compiled, inlined, prefetch
from models.fused.half import multiply_words
from models.fused.tiles import LANES, product

Array = NDArray[Any]
Shape = tuple[int, int, int, int]
"""B, T, D, H."""


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


@inlined
def add_products(a: Array, b: Array, target: Array, count: int) -> None:
    """Add the products of the first numbers of two flat arrays to those of a third."""
    for i in range(count):
        target[i] += a[i] * b[i]


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
