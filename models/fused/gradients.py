"""Gradients of a layer's weights, biases and inputs, from the gradients of its gates' sums over all steps."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.fused import threads
from models.fused.cells import CompiledCell
from models.fused.half import as_words
from models.fused.memory import empty
from models.fused.products import (
    Array,
    Read,
    add_outer_products,
    even,
    multiply,
    pack_columns,
    padded,
    unpack_columns,
)
from models.fused.tiles import LANES

_PANELS = 64
"""Most panels of a weight gradient in one part: their numbers stay in the second cache."""

_ROWS = 512
"""Most rows of the inputs' gradient in one part."""


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
