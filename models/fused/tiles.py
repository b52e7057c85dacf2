"""A tile of a matrix product as LLVM instructions: some rows by one vector of outputs, kept in registers.

Every output adds up its products in the order of their index, with fused multiply-adds, from a given start.
Its bits therefore do not depend on the tile it lies in.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

LANES = 16
"""Outputs of a tile side by side; packed weights lie in panels of as many."""

cgutils: Any = untyped_cgutils

_INT = ir.IntType(32)
_ELEMENTS = {"float32": (ir.FloatType(), "f32"), "float64": (ir.DoubleType(), "f64")}


def wide_registers() -> bool:
    """Return whether the processor has 32 registers of 16 numbers; most others have 16 of 8."""
    return bool(binding.get_host_cpu_features().get("avx512f", False))


def has_multiply_add() -> bool:
    """Return whether the processor adds a product in one instruction; without, the tiles are slow."""
    features = binding.get_host_cpu_features()
    return bool(features.get("fma", False) or features.get("neon", False))


def _tile(rows: int) -> Any:
    """Return a function that computes ``rows`` by LANES outputs.

    Its arguments are flat arrays, each with the place of its first number: x with strides between rows and
    between terms, w with a stride between terms, start and out with strides between rows, and the number of
    terms. out[r, l] = start[r, l] + sum over k of x[r, k] w[k, l].
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
        start: Any,
        s0: Any,
        s_row: Any,
        out: Any,
        o0: Any,
        o_row: Any,
        terms: Any,
    ) -> Any:
        place = types.intp
        signature = types.void(
            x, place, place, place, w, place, place, start, place, place, out, place, place, place
        )
        return signature, build

    def build(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> Any:
        element, suffix = _ELEMENTS[signature.args[0].dtype.name]
        vector = ir.VectorType(element, LANES)
        x, w, start, out = (
            context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 4, 7, 10)
        )
        _, x0, x_row, x_term, _, w0, w_term, _, s0, s_row, _, o0, o_row, terms = values
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{LANES}{suffix}"
        )

        def row(base: ir.Value, first: ir.Value, stride: ir.Value, number: int) -> ir.Value:
            skipped = builder.mul(stride, ir.Constant(stride.type, number))
            return builder.gep(base, [builder.add(first, skipped)])

        def vector_at(pointer: ir.Value) -> ir.Value:
            return builder.bitcast(pointer, vector.as_pointer())

        align = element.get_abi_size(context.target_data)
        sums = [
            cgutils.alloca_once_value(builder, builder.load(vector_at(row(start, s0, s_row, r)), align=align))
            for r in range(rows)
        ]
        x_rows = [row(x, x0, x_row, r) for r in range(rows)]
        weights = builder.gep(w, [w0])
        with cgutils.for_range(builder, terms) as loop:
            weight = builder.load(
                vector_at(builder.gep(weights, [builder.mul(loop.index, w_term)])), align=align
            )
            offset = builder.mul(loop.index, x_term)
            for x_at, total in zip(x_rows, sums, strict=True):
                value = _splat(builder, builder.load(builder.gep(x_at, [offset])), vector)
                builder.store(builder.call(multiply_add, (value, weight, builder.load(total))), total)
        for r, total in enumerate(sums):
            builder.store(builder.load(total), vector_at(row(out, o0, o_row, r)), align=align)
        return context.get_dummy_value()

    return intrinsic(typing)


def _splat(builder: ir.IRBuilder, value: ir.Value, vector: ir.VectorType) -> ir.Value:
    empty = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES))


MOST_ROWS = 16 if wide_registers() else 4
"""Rows of the largest tile that fits the registers."""

tile_of_most = _tile(MOST_ROWS)
tile_of_four = _tile(4)
tile_of_one = _tile(1)
