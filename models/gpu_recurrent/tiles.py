"""What the kernels of all cells share: products of a few rows with a matrix, read in tiles.

A program owns some sequences and all units of a layer, and goes through the steps by itself. So one launch
serves all steps, and no program waits for another. The state, the gates and the gradients of a step lie in
the tensors of the results. A program reads back what it has written, after a barrier among its threads: most
of that comes from the caches. The weights pass through shared memory in tiles, a pipeline of them at a time.
They do not fit there as a whole: 4 gates of 256 units are 1 MB in float32, and a multiprocessor of an H100
has 228 KB. But they stay in the second cache of 50 MB, where all programs read the same ones.

A cluster of multiprocessors could hold the weights in its shared memories. Triton 3.6 starts clusters
(``num_ctas``), but then it divides tiles by itself. Neither its language nor its Gluon has the barrier
between multiprocessors that each step needs.
"""

import triton
import triton.language as tl

LANES = 16
"""Sequences of a program: the rows of a product of tensor cores."""


@triton.jit  # type: ignore[untyped-decorator]
def tanh(x):  # type: ignore[no-untyped-def]
    """Return the hyperbolic tangent, with an absolute error of float32's precision."""
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


@triton.jit  # type: ignore[untyped-decorator]
def put_first(first, places, lane, exists, size, padded: tl.constexpr, columns: tl.constexpr):  # type: ignore[no-untyped-def]
    """Copy the state before the first step, (B, H), to ``places``, pointers to a row each (rows,)."""
    for column in range(0, padded, columns):
        unit = column + tl.arange(0, columns)
        inside = exists[:, None] & (unit < size)[None, :]
        value = tl.load(first + lane[:, None] * size + unit[None, :], mask=inside)
        tl.store(places[:, None] + unit[None, :], value, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def gate_sums(  # type: ignore[no-untyped-def]
    values, inside_rows, size, weights, unit,
    gates: tl.constexpr, padded: tl.constexpr, columns: tl.constexpr, terms: tl.constexpr,
    precision: tl.constexpr,
):  # fmt: skip
    """Return products of rows with the weights of up to four gates, each (rows, columns).

    Args:
        values: (rows,) pointers to the first of ``size`` numbers.
        inside_rows: (rows,) whether a row exists.
        size: H.
        weights: (gates, padded, padded); a gate's row of a unit holds its weights.
        unit: (columns,) the units.
        gates: the products beyond them are 0.
        padded: H, padded.
        columns, terms: of a tile.
        precision: of the products of float32.
    """
    first = tl.zeros((inside_rows.shape[0], columns), tl.float32)
    second, third, fourth = first, first, first
    for begin in range(0, padded, terms):
        term = begin + tl.arange(0, terms)
        inside = inside_rows[:, None] & (term < size)[None, :]
        value = tl.load(values[:, None] + term[None, :], mask=inside, other=0.0)
        value = value.to(weights.dtype.element_ty)
        tile = weights + unit[:, None] * padded + term[None, :]
        first = tl.dot(value, tl.trans(tl.load(tile)), first, input_precision=precision)
        if gates > 1:
            tile += padded * padded
            second = tl.dot(value, tl.trans(tl.load(tile)), second, input_precision=precision)
        if gates > 2:
            tile += padded * padded
            third = tl.dot(value, tl.trans(tl.load(tile)), third, input_precision=precision)
        if gates > 3:
            tile += padded * padded
            fourth = tl.dot(value, tl.trans(tl.load(tile)), fourth, input_precision=precision)
    return first, second, third, fourth


@triton.jit  # type: ignore[untyped-decorator]
def sum_back(  # type: ignore[no-untyped-def]
    grads, inside_rows, size, weights, unit,
    gates, padded: tl.constexpr, columns: tl.constexpr, terms: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    """Return what the gradients of gates' sums mean for the values that were multiplied, (rows, columns).

    Args:
        grads: (rows,) pointers to the first of ``gates * size`` numbers.
        inside_rows: (rows,) whether a row exists.
        size: H.
        weights: (gates, padded, padded), as in `gate_sums`.
        unit: (columns,) the units of the values.
        gates: may be 0.
        padded, columns, terms, precision: see `gate_sums`.
    """
    found = tl.zeros((inside_rows.shape[0], columns), tl.float32)
    for begin in range(0, gates * padded, terms):
        row = begin + tl.arange(0, terms)
        gate, term = begin // padded, begin % padded + tl.arange(0, terms)
        inside = inside_rows[:, None] & (term < size)[None, :]
        grad = tl.load(grads[:, None] + (gate * size + term)[None, :], mask=inside, other=0.0)
        tile = tl.load(weights + row[:, None] * padded + unit[None, :])
        found = tl.dot(grad.to(tile.dtype), tile, found, input_precision=precision)
    return found
