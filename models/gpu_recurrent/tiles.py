"""What the kernels of all cells share: products of a few rows with a matrix, read in tiles.

A program owns some sequences and some units of a layer, and goes through all steps by itself. So one launch
serves all steps. The state, the gates and the gradients of a step lie in the tensors of the results. After
each step the programs of the same sequences meet, and read what all have written. With many sequences there
are programs enough, so each owns all units, and only its own threads meet.

The weights of a program's units are read for each step, and pass through shared memory in tiles, a pipeline
of them at a time. The weights of a layer do not fit there as a whole: 4 gates of 256 units are 1 MB in
float32, and a multiprocessor of an H100 has 228 KB. But they stay in the second cache of 50 MB. Units are
divided among programs so that each reads a part.

A cluster of multiprocessors could exchange the state through its shared memories. Triton 3.6 starts clusters
(``num_ctas``), but then it divides tiles by itself. Neither its language nor its Gluon has the barrier
between multiprocessors that each step needs. So programs meet at counters in the second cache, as those of
torch's inductor do. They are launched as a cooperative grid: either all of them run at once, or none.
"""

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def tanh(x):  # type: ignore[no-untyped-def]
    """Return the hyperbolic tangent, with an absolute error of float32's precision."""
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


@triton.jit  # type: ignore[untyped-decorator]
def meet(arrived, group, met, parts: tl.constexpr):  # type: ignore[no-untyped-def]
    """Wait until all threads of all programs of the same sequences have written what they compute.

    Args:
        arrived: counters of groups of programs, zeros before the first meeting.
        group: number of the group.
        met: what this function returned the last time, 0 at first.
        parts: programs of a group.
    """
    tl.debug_barrier()
    if parts > 1:
        tl.atomic_add(arrived + group, 1, sem="release")
        while tl.atomic_add(arrived + group, 0, sem="acquire") < met + parts:
            pass
        tl.debug_barrier()
    return met + parts


@triton.jit  # type: ignore[untyped-decorator]
def put_first(first, places, lane, exists, size, begin, columns: tl.constexpr, parts: tl.constexpr):  # type: ignore[no-untyped-def]
    """Copy the state before the first step, (B, H), to ``places``, pointers to a row each (rows,)."""
    for column in range(begin, size, parts * columns):
        unit = column + tl.arange(0, columns)
        inside = exists[:, None] & (unit < size)[None, :]
        value = tl.load(first + lane[:, None] * size + unit[None, :], mask=inside)
        tl.store(places[:, None] + unit[None, :], value, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def gate_sums(  # type: ignore[no-untyped-def]
    values, inside_rows, size, weights, unit,
    gates: tl.constexpr, width: tl.constexpr, columns: tl.constexpr, terms: tl.constexpr,
    precision: tl.constexpr,
):  # fmt: skip
    """Return products of rows with the weights of up to four gates, each (rows, columns).

    Args:
        values: (rows,) pointers to the first of ``size`` numbers.
        inside_rows: (rows,) whether a row exists.
        size: H.
        weights: (gates, size, width); a gate's row of a unit holds its weights, and zeros.
        unit: (columns,) the units.
        gates: the products beyond them are 0.
        width: H, padded.
        columns, terms: of a tile.
        precision: of the products of float32.
    """
    first = tl.zeros((inside_rows.shape[0], columns), tl.float32)
    second, third, fourth = first, first, first
    for begin in range(0, size, terms):
        term = begin + tl.arange(0, terms)
        inside = inside_rows[:, None] & (term < size)[None, :]
        value = tl.load(values[:, None] + term[None, :], mask=inside, other=0.0)
        value = value.to(weights.dtype.element_ty)
        # What lies outside is not read: the weights of a step are what takes the time.
        within = (term < width)[:, None] & (unit < size)[None, :]
        tile = weights + unit[None, :] * width + term[:, None]
        first = tl.dot(value, tl.load(tile, mask=within, other=0.0), first, input_precision=precision)
        if gates > 1:
            tile += size * width
            second = tl.dot(value, tl.load(tile, mask=within, other=0.0), second, input_precision=precision)
        if gates > 2:
            tile += size * width
            third = tl.dot(value, tl.load(tile, mask=within, other=0.0), third, input_precision=precision)
        if gates > 3:
            tile += size * width
            fourth = tl.dot(value, tl.load(tile, mask=within, other=0.0), fourth, input_precision=precision)
    return first, second, third, fourth


@triton.jit  # type: ignore[untyped-decorator]
def sum_back(  # type: ignore[no-untyped-def]
    grads, inside_rows, size, weights, unit,
    gates, width: tl.constexpr, columns: tl.constexpr, terms: tl.constexpr, precision: tl.constexpr,
):  # fmt: skip
    """Return what the gradients of gates' sums mean for the values that were multiplied, (rows, columns).

    Args:
        grads: (rows,) pointers to the first of ``gates * size`` numbers.
        inside_rows: (rows,) whether a row exists.
        size: H.
        weights: (gates, size, width), as in `gate_sums`.
        unit: (columns,) the units of the values.
        gates: may be 0.
        width, columns, terms, precision: see `gate_sums`.
    """
    found = tl.zeros((inside_rows.shape[0], columns), tl.float32)
    for begin in range(0, gates * size, terms):
        row = begin + tl.arange(0, terms)
        is_row = row < gates * size
        inside = inside_rows[:, None] & is_row[None, :]
        grad = tl.load(grads[:, None] + row[None, :], mask=inside, other=0.0)
        within = is_row[:, None] & (unit < width)[None, :]
        tile = tl.load(weights + row[:, None] * width + unit[None, :], mask=within, other=0.0)
        found = tl.dot(grad.to(tile.dtype), tile, found, input_precision=precision)
    return found
