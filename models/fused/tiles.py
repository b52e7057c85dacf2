"""A tile of a matrix product as LLVM instructions: some rows by some vectors of outputs, kept in registers.

Every output adds up its products in the order of their index, with fused multiply-adds, from a given start.
Its bits therefore do not depend on the tile it lies in.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from models.compiled.simd import compiled, inlined

LANES = 16
"""Outputs of a tile side by side; packed weights lie in panels of as many."""

cgutils: Any = untyped_cgutils

_INT = ir.IntType(32)
_ELEMENTS = {"float32": (ir.FloatType(), "f32"), "float64": (ir.DoubleType(), "f64")}


def wide_registers() -> bool:
    """Return whether the processor has 32 registers of 16 numbers; most others have 16 of 8."""
    return bool(binding.get_host_cpu_features().get("avx512f", False))


@lru_cache(maxsize=1)
def has_multiply_add() -> bool:
    """Return whether the processor adds a product in one instruction; without, the tiles are slow."""
    features = binding.get_host_cpu_features()
    return bool(features.get("fma", False) or features.get("neon", False))


def tile(rows: int, panels: int) -> Any:
    """Return a function that computes ``rows`` by ``panels`` vectors of LANES outputs.

    A number of x that is read serves all panels, and one vector of w all rows: with one panel, the processor
    reads as often as it multiplies.

    Its arguments are flat arrays, each with the place of its first number: x with strides between rows and
    between terms, w with strides between terms and between panels, start with strides between rows and
    between panels, out with one between rows, and the number of terms.
    out[r, p, l] = start[r, p, l] + sum over k of x[r, k] w[p, k, l].
    """

    def typing(
        context: Any,
        x: Any,
        x0: Any,
        x_row: Any,
        x_term: Any,
        w: Any,
        w0: Any,
        w_term: Any,
        w_panel: Any,
        start: Any,
        s0: Any,
        s_row: Any,
        s_panel: Any,
        out: Any,
        o0: Any,
        o_row: Any,
        terms: Any,
    ) -> Any:
        place = types.intp
        of_inputs = x, place, place, place, w, place, place, place
        signature = types.void(*of_inputs, start, place, place, place, out, place, place, place)
        return signature, build

    def build(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> Any:
        element, suffix = _ELEMENTS[signature.args[0].dtype.name]
        vector = ir.VectorType(element, LANES)
        x, w, start, out = (
            context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 4, 8, 12)
        )
        _, x0, x_row, x_term, _, w0, w_term, w_panel, _, s0, s_row, s_panel, _, o0, o_row, terms = values
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{LANES}{suffix}"
        )

        def skip(first: ir.Value, stride: ir.Value, number: int) -> ir.Value:
            return builder.add(first, builder.mul(stride, ir.Constant(stride.type, number)))

        def vector_at(pointer: ir.Value) -> ir.Value:
            return builder.bitcast(pointer, vector.as_pointer())

        align = element.get_abi_size(context.target_data)
        places = [(r, p) for r in range(rows) for p in range(panels)]
        sums = []
        for r, p in places:
            at = builder.gep(start, [skip(skip(s0, s_row, r), s_panel, p)])
            sums.append(cgutils.alloca_once_value(builder, builder.load(vector_at(at), align=align)))
        x_rows = [builder.gep(x, [skip(x0, x_row, r)]) for r in range(rows)]
        w_panels = [builder.gep(w, [skip(w0, w_panel, p)]) for p in range(panels)]
        with cgutils.for_range(builder, terms) as loop:
            of_w, of_x = builder.mul(loop.index, w_term), builder.mul(loop.index, x_term)
            weights = [builder.load(vector_at(builder.gep(each, [of_w])), align=align) for each in w_panels]
            for r, x_at in enumerate(x_rows):
                value = _splat(builder, builder.load(builder.gep(x_at, [of_x])), vector)
                for weight, total in zip(weights, sums[r * panels : (r + 1) * panels], strict=True):
                    builder.store(builder.call(multiply_add, (value, weight, builder.load(total))), total)
        for (r, p), total in zip(places, sums, strict=True):
            column = builder.add(skip(o0, o_row, r), ir.Constant(o0.type, p * LANES))
            builder.store(builder.load(total), vector_at(builder.gep(out, [column])), align=align)
        return context.get_dummy_value()

    return intrinsic(typing)


def _move(context: Any, source: Any, place: Any, target: Any, to: Any) -> Any:
    """Return a function that copies LANES numbers from a place of a flat array to one of another."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> Any:
        element, _ = _ELEMENTS[signature.args[0].dtype.name]
        align = element.get_abi_size(context.target_data)
        read, write = (
            builder.bitcast(
                builder.gep(
                    context.make_array(signature.args[i])(context, builder, values[i]).data, [values[i + 1]]
                ),
                ir.VectorType(element, LANES).as_pointer(),
            )
            for i in (0, 2)
        )
        builder.store(builder.load(read, align=align), write, align=align)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp), build


move_lanes: Any = intrinsic(_move)


def _splat(builder: ir.IRBuilder, value: ir.Value, vector: ir.VectorType) -> ir.Value:
    empty = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES))


def _strip(panels: int, most: int) -> Any:
    """Return a function of any rows by some panels, in tiles of ``most`` rows, of four and of one.

    Two or three rows do not stay behind for tiles of one, where tiles of four can take them.
    """
    tile_of_most, tile_of_four, tile_of_one = tile(most, panels), tile(4, panels), tile(1, panels)

    @inlined
    def strip(
        x: Any,
        x0: int,
        x_row: int,
        x_term: int,
        rows: int,
        w: Any,
        w0: int,
        w_term: int,
        w_panel: int,
        start: Any,
        s0: int,
        s_row: int,
        s_panel: int,
        out: Any,
        o0: int,
        o_row: int,
        terms: int,
    ) -> None:
        r = 0
        while rows - r >= most and not (most % 4 and 2 <= rows - r - most <= 3):
            tile_of_most(
                x, x0 + r * x_row, x_row, x_term, w, w0, w_term, w_panel,
                start, s0 + r * s_row, s_row, s_panel, out, o0 + r * o_row, o_row, terms,
            )  # fmt: skip
            r += most
        while most > 4 and rows - r >= 4:
            tile_of_four(
                x, x0 + r * x_row, x_row, x_term, w, w0, w_term, w_panel,
                start, s0 + r * s_row, s_row, s_panel, out, o0 + r * o_row, o_row, terms,
            )  # fmt: skip
            r += 4
        while rows - r >= 1:
            tile_of_one(
                x, x0 + r * x_row, x_row, x_term, w, w0, w_term, w_panel,
                start, s0 + r * s_row, s_row, s_panel, out, o0 + r * o_row, o_row, terms,
            )  # fmt: skip
            r += 1

    return strip


_WIDE = wide_registers()
"""A constant of the compiler: with short registers, the strips of several panels are left out."""
_PANELS = 3 if _WIDE else 1
ROWS_AT_ONCE = 8 if _WIDE else 6
"""Rows of the largest tile: with its panels, its sums nearly fill the registers."""

_strip_of_most = _strip(_PANELS, ROWS_AT_ONCE)
_strip_of_two = _strip(min(2, _PANELS), 14 if _WIDE else ROWS_AT_ONCE)
_strip_of_one = _strip(1, ROWS_AT_ONCE)


@compiled
def product(
    x: Any,
    x0: int,
    x_row: int,
    x_term: int,
    rows: int,
    w: Any,
    w0: int,
    w_term: int,
    w_panel: int,
    panels: int,
    start: Any,
    s0: int,
    s_row: int,
    s_panel: int,
    out: Any,
    o0: int,
    o_row: int,
    terms: int,
) -> None:
    """Write start + x w for any rows and panels; see `tile`. Strides of 0 repeat a row, a panel or a term."""
    panel = 0
    while _WIDE and panels - panel >= _PANELS and panels - panel != 4:  # which are two pairs
        _strip_of_most(
            x, x0, x_row, x_term, rows, w, w0 + panel * w_panel, w_term, w_panel,
            start, s0 + panel * s_panel, s_row, s_panel, out, o0 + panel * LANES, o_row, terms,
        )  # fmt: skip
        panel += _PANELS
    while _WIDE and panels - panel >= 2:
        _strip_of_two(
            x, x0, x_row, x_term, rows, w, w0 + panel * w_panel, w_term, w_panel,
            start, s0 + panel * s_panel, s_row, s_panel, out, o0 + panel * LANES, o_row, terms,
        )  # fmt: skip
        panel += 2
    while panels - panel >= 1:
        _strip_of_one(
            x, x0, x_row, x_term, rows, w, w0 + panel * w_panel, w_term, w_panel,
            start, s0 + panel * s_panel, s_row, s_panel, out, o0 + panel * LANES, o_row, terms,
        )  # fmt: skip
        panel += 1
