"""Matrix products of numbers rounded to bfloat16, with sums in single precision.

A word holds two bfloat16 that meet in one instruction: neighbouring terms of a product. Words of rows lie in
blocks of LANES rows, term by term, so that a tile reads its rows from one place. As in
`models.fused.products`, every output adds up in the order of its terms, whatever the tile.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from models.compiled.simd import compiled, inlined
from models.fused.memory import empty
from models.fused.tiles import LANES

cgutils: Any = untyped_cgutils

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_WORDS = ir.VectorType(ir.IntType(32), LANES)
_ROUNDING, _ONE, _HALF_WORD = np.uint32(0x7FFF), np.uint32(1), np.uint32(16)


@lru_cache(maxsize=1)
def has_half_products() -> bool:
    """Return whether the processor has the instruction, and make it known to Numba's compiler."""
    if not binding.get_host_cpu_features().get("avx512bf16", False):
        return False
    binding.initialize_native_asmparser()
    return True


def _tile(rows: int) -> Any:
    """Return a function that computes ``rows`` by LANES outputs.

    Its arguments are flat arrays, each with the place of its first element: words x and w with a stride
    between terms, start and out with strides between rows; and the number of words of a row.
    """

    def typing(
        context: Any,
        x: Any,
        x0: Any,
        x_term: Any,
        w: Any,
        w0: Any,
        w_term: Any,
        start: Any,
        s0: Any,
        s_row: Any,
        out: Any,
        o0: Any,
        o_row: Any,
        terms: Any,
    ) -> Any:
        place = types.intp
        return types.void(
            x, place, place, w, place, place, start, place, place, out, place, place, place
        ), build

    def build(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> Any:
        x, w, start, out = (
            context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 3, 6, 9)
        )
        _, x0, x_term, _, w0, w_term, _, s0, s_row, _, o0, o_row, terms = values

        def row(base: ir.Value, first: ir.Value, stride: ir.Value, number: int) -> ir.Value:
            place = builder.add(first, builder.mul(stride, ir.Constant(stride.type, number)))
            return builder.bitcast(builder.gep(base, [place]), _FLOATS.as_pointer())

        # Written out, since the compiler would load all words of x before it uses the first.
        kind = ir.FunctionType(_FLOATS, [x.type, _WORDS, _FLOATS])
        multiply_add = [
            ir.InlineAsm(kind, f"vdpbf16ps {4 * r}($1){{1to16}}, $2, $0", "=v,r,v,0", side_effect=True)
            for r in range(rows)
        ]
        sums = [
            cgutils.alloca_once_value(builder, builder.load(row(start, s0, s_row, r), align=4))
            for r in range(rows)
        ]
        x_first, w_first = builder.gep(x, [x0]), builder.gep(w, [w0])
        with cgutils.for_range(builder, terms) as loop:
            at = builder.gep(w_first, [builder.mul(loop.index, w_term)])
            weights = builder.load(builder.bitcast(at, _WORDS.as_pointer()), align=4)
            words = builder.gep(x_first, [builder.mul(loop.index, x_term)])
            for instruction, total in zip(multiply_add, sums, strict=True):
                builder.store(builder.call(instruction, (words, weights, builder.load(total))), total)
        for r, total in enumerate(sums):
            builder.store(builder.load(total), row(out, o0, o_row, r), align=4)
        return context.get_dummy_value()

    return intrinsic(typing)


_tile_of_sixteen = _tile(LANES)
_tile_of_four = _tile(4)
_tile_of_one = _tile(1)


@inlined
def _word(first: Any, second: Any) -> Any:
    """Return two bits patterns of float32, rounded to the nearest bfloat16, ties to even, as one word."""
    low = (first + _ROUNDING + ((first >> _HALF_WORD) & _ONE)) >> _HALF_WORD
    high = (second + _ROUNDING + ((second >> _HALF_WORD) & _ONE)) >> _HALF_WORD
    return low | (high << _HALF_WORD)


@compiled
def to_words(panels: Any, words: Any) -> None:
    """Write the words of flat panels (panels, an even number of terms, LANES)."""
    bits = panels.view(np.uint32)
    for pair in range(len(words) // LANES):
        first, second = bits[2 * pair * LANES :], bits[(2 * pair + 1) * LANES :]
        to = words[pair * LANES :]
        for lane in range(LANES):
            to[lane] = _word(first[lane], second[lane])


def as_words(panels: Any) -> Any:
    """Return the words of flat panels (panels, an even number of terms, LANES)."""
    words = empty(panels.size // 2, np.uint32)
    to_words(panels, words)
    return words


@compiled
def multiply_words(
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
    """Do what `models.fused.products.multiply_floats` does, with weights of `to_words`.

    ``w0`` and ``w_panel`` are those of the panels that the words were made of.
    """
    pairs = (terms + 1) // 2
    block = pairs * LANES
    words = np.empty((rows + LANES - 1) // LANES * block, np.uint32)
    bits = x.view(np.uint32)
    for r in range(rows):
        values = bits[x0 + r * x_row :]
        to = words[r // LANES * block + r % LANES :]
        for pair in range(terms // 2):
            to[pair * LANES] = _word(values[2 * pair], values[2 * pair + 1])
        if terms % 2:
            to[terms // 2 * LANES] = _word(values[terms - 1], np.uint32(0))
    for panel in range(panels):
        at, column = (w0 + panel * w_panel) // 2, panel * LANES
        r = 0
        while r < rows:
            xr, sr, to_ = r // LANES * block + r % LANES, s0 + r * s_row + column, o0 + r * o_row + column
            if rows - r >= LANES:
                _tile_of_sixteen(words, xr, LANES, w, at, LANES, start, sr, s_row, out, to_, o_row, pairs)
                r += LANES
            elif rows - r >= 4:
                _tile_of_four(words, xr, LANES, w, at, LANES, start, sr, s_row, out, to_, o_row, pairs)
                r += 4
            else:
                _tile_of_one(words, xr, LANES, w, at, LANES, start, sr, s_row, out, to_, o_row, pairs)
                r += 1


@inlined
def _pair_rows(values: Any, first: int, stride: int, count: int, width: int, words: Any) -> None:
    """Write words (pairs, width) of ``count`` rows: each holds the same column of two rows."""
    bits = values.view(np.uint32)
    for pair in range(count // 2):
        upper, lower = bits[first + 2 * pair * stride :], bits[first + (2 * pair + 1) * stride :]
        to = words[pair * width :]
        for i in range(width):
            to[i] = _word(upper[i], lower[i])
    if count % 2:
        upper, to = bits[first + (count - 1) * stride :], words[count // 2 * width :]
        for i in range(width):
            to[i] = _word(upper[i], np.uint32(0))


@compiled
def add_outer_words(
    a: Any,
    a_row: int,
    width: int,
    g: Any,
    g0: int,
    g_row: int,
    terms: int,
    out: Any,
    out_row: int,
    first_panel: int,
    last_panel: int,
) -> None:
    """Add to out[i, m] the sum of a[n, i] g[n, m] over ``terms`` rows n, rounded to bfloat16.

    See `models.fused.gradients.add_outer_products`.
    """
    columns, pairs = (last_panel - first_panel) * LANES, (terms + 1) // 2
    a_words = np.empty(pairs * width + LANES, np.uint32)
    g_words = np.empty(pairs * columns, np.uint32)
    _pair_rows(a, 0, a_row, terms, width, a_words)
    _pair_rows(g, g0 + first_panel * LANES, g_row, terms, columns, g_words)
    for panel in range(first_panel, last_panel):
        at, to = (panel - first_panel) * LANES, panel * LANES
        i = 0
        while i < width:
            row = to + i * out_row
            if width - i >= LANES:
                _tile_of_sixteen(
                    a_words, i, width, g_words, at, columns, out, row, out_row, out, row, out_row, pairs
                )
                i += LANES
            else:
                _tile_of_four(
                    a_words, i, width, g_words, at, columns, out, row, out_row, out, row, out_row, pairs
                )
                i += 4
