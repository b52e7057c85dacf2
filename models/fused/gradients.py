"""Gradients of a layer's weights, biases and inputs, from the gradients of its gates' sums over all steps."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.compiled.simd import compiled, inlined
from models.fused import threads
from models.fused.cells import CompiledCell
from models.fused.half import add_outer_words, as_words
from models.fused.memory import empty
from models.fused.products import (
    Array,
    copy,
    even,
    expect,
    multiply,
    pack_columns,
    padded,
    unpack_columns,
)
from models.fused.tiles import LANES, move_lanes, product

_PANELS = 64
"""Most panels of a weight gradient in one part: their numbers stay in the second cache."""

_ROWS = 512
"""Most rows of the inputs' gradient in one part."""

_DEPTH = 128
"""Terms that a weight gradient adds in one go: a panel of so many stays in the first cache, and all panels of
a layer in the second."""

_CHUNK = 256
"""Rows of a weight gradient that are added at once: what they read stays in the second cache."""

_ROWS_AHEAD = 4
"""A row is called for while so many before it are copied."""


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


@inlined
def _aligned(count: int, like: Array) -> Array:
    """Return a flat array with undefined values, of the type of another, that begins at a cache line."""
    longer = np.empty(count + LANES, like.dtype)
    return longer[(64 - longer.ctypes.data % 64) % 64 // longer.itemsize :]


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
    # With a line more than the terms: else the first cache would keep all panels in few of its places.
    step = (_DEPTH + 1) * LANES
    row = np.zeros(rows, g.dtype)
    a_copy, g_copy = np.empty(_DEPTH * rows, g.dtype), _aligned(panels * step, g)
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


class Sums(NamedTuple):
    """Gradients of the gates' sums in (B, T, blocks, H), flat, with LANES numbers of slack behind them."""

    values: Array
    batch: int
    steps: int
    blocks: int
    size: int
    half: bool

    def product(self, read: Read, begin: int, end: int) -> Array:
        """Return the gradient of weights that lead from what is read to blocks ``begin`` to ``end``.

        Returns:
            A table whose first rows are the numbers read, and whose first columns are (blocks, H).
        """
        row = padded((end - begin) * self.size)
        found = empty(-(-(read.width + read.size) // 4) * 4 * row, self.values.dtype).reshape(-1, row)
        of_sums = (self.values, begin * self.size, self.blocks * self.size, self.batch * self.steps)

        def some_panels(part: tuple[int, int]) -> None:
            found[:, part[0] * LANES : part[1] * LANES] = 0
            add_outer_products(read, *of_sums, found.reshape(-1), row, *part, 0 if self.half else None)

        threads.run(some_panels, threads.ranges(row // LANES, 1, _PANELS))
        return found

    def input_gradient(self, weights: Array, order: tuple[int, ...]) -> Tensor:
        """Return the gradient (B, T, D) of inputs of weights (G H, D), whose blocks the sums begin with."""
        size, width = self.size, weights.shape[1]
        terms, row = len(order) * size, padded(width)
        packed = empty(even(terms) * row, self.values.dtype)
        panels = packed.reshape(row // LANES, even(terms), LANES)
        parts: list[tuple[Any, ...]] = []
        for place, block in enumerate(order):
            end = (place + 1) * size if place + 1 < len(order) else even(terms)
            of_block = (weights[block * size : (block + 1) * size], panels, place * size, end)
            parts += [(*of_block, *some) for some in threads.ranges(len(panels), 1, len(panels))]
        threads.run(lambda part: pack_columns(*part), parts, packed.size)
        read = as_words(packed) if self.half else packed
        panel = even(terms) * LANES
        count, step = self.batch * self.steps, self.blocks * self.size
        start = np.zeros(row, self.values.dtype)
        found = empty(count * row, self.values.dtype)

        def some_rows(part: tuple[int, int]) -> None:
            begin, end = part
            multiply(
                self.values, begin * step, step, end - begin, read, 0, panel, row // LANES, terms,
                start, 0, 0, found, begin * row, row,
            )  # fmt: skip

        threads.run(some_rows, threads.ranges(count, 1, _ROWS))
        return torch.from_numpy(found).view(self.batch, self.steps, row)[..., :width]


def weight_gradients(
    cell: CompiledCell, sums: Sums, inputs: Array, before: Array, out: Array
) -> tuple[Tensor, Tensor]:
    """Return the gradients of W (G H, D) and U (G H, H).

    Where W and U lead to the same block, one product has the gradients of both.

    Args:
        cell: the cell.
        sums: of its gates.
        inputs: (B, T, D).
        before: states before the first step (B, H), flat.
        out: states after each step (B, T, H), flat.
    """
    width, size, steps, kind = inputs.shape[-1], sums.size, sums.steps, inputs.dtype
    of_inputs, of_states = (
        empty(cell.gates * size * count, kind).reshape(cell.gates, size, count) for count in (width, size)
    )
    first, end, candidate = cell.first_state_block, cell.gates, cell.candidate_reads
    last = end if candidate is None else end - 1
    read = Read(inputs.reshape(-1), width, out, 0, size, size, before, steps)
    pieces = [
        (read._replace(size=0), 0, first),
        (read, first, last),
        (read._replace(width=0), end, end + first),
    ]
    if candidate is not None:
        kept = Read(
            read.inputs, width, sums.values, candidate * size, sums.blocks * size, size, before[:0], steps
        )
        pieces.append((kept, last, end))
    parts: list[tuple[Array, Array, int, int, int]] = []
    of_block = threads.ranges(size, LANES, padded(size))
    for each, begin, stop in pieces:
        if begin == stop:
            continue
        found = sums.product(each, begin, stop)
        for block in range(begin, stop):
            place = (block - begin) * size
            if each.width:
                target = of_inputs[cell.input_order[block]]
                parts += [(found[:width], target, place, *some) for some in of_block]
            if each.size:
                target = of_states[block - first]
                parts += [(found[each.width :], target, place, *some) for some in of_block]
    threads.run(lambda part: unpack_columns(*part), parts, of_inputs.size + of_states.size)
    return torch.from_numpy(of_inputs).view(-1, width), torch.from_numpy(of_states).view(-1, size)
