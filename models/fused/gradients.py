"""Gradients of a layer's weights, biases and inputs, from the gradients of its gates' sums over all steps."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.fused import threads
from models.fused.cells import CompiledCell
from models.fused.half import add_outer_words, as_words
from models.fused.memory import empty
from models.fused.products import (
    Array,
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

    def product(self, read: Array, left: int, right: int, begin: int, end: int) -> Array:
        """Return the gradient of weights that numbers ``left`` to ``right`` of what is read meet.

        Args:
            read: (B, T, numbers).
            left, right: see above.
            begin, end: blocks of these sums that the weights lead to.

        Returns:
            A table whose first rows are the numbers read, and whose first columns are (blocks, H).
        """
        width, row = right - left, padded((end - begin) * self.size)
        found = empty(-(-width // 4) * 4 * row, self.values.dtype).reshape(-1, row)
        flat, stride, step = read.reshape(-1), read.shape[-1], self.blocks * self.size
        add = add_outer_words if self.half else add_outer_products

        def some_panels(part: tuple[int, int]) -> None:
            found[:, part[0] * LANES : part[1] * LANES] = 0
            add(
                flat, left, stride, width, self.values, begin * self.size, step, self.batch * self.steps,
                found.reshape(-1), row, *part,
            )  # fmt: skip

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
    cell: CompiledCell, sums: Sums, inputs: Array, before: Array, out: Array, kept: Array
) -> tuple[Tensor, Tensor]:
    """Return the gradients of W (G H, D) and U (G H, H).

    What W and U read is put side by side: where both lead to a block, one product has the gradients of both.

    Args:
        cell: the cell.
        sums: of its gates.
        inputs: (B, T, D).
        before: states before the first step (B, H).
        out: states after each step (B, T, H).
        kept: (B, T, blocks, H), see `CompiledCell`.
    """
    width, size, kind = inputs.shape[-1], sums.size, inputs.dtype
    of_inputs, of_states = (
        empty(cell.gates * size * count, kind).reshape(cell.gates, size, count) for count in (width, size)
    )
    first, end = cell.first_state_block, cell.gates
    last = end if cell.candidate_reads is None else end - 1
    read = _side_by_side(inputs, out, before)
    pieces = [(read, 0, first), (read, first, last), (read, end, end + first)]
    if cell.candidate_reads is not None:
        pieces.append((_side_by_side(inputs, kept[:, :, cell.candidate_reads]), last, end))
    parts: list[tuple[Array, Array, int, int, int]] = []
    of_block = threads.ranges(size, LANES, padded(size))
    for values, begin, stop in pieces:
        if begin == stop:
            continue
        left, right = 0 if begin < end else width, width if stop <= first else width + size
        found = sums.product(values, left, right, begin, stop)
        for block in range(begin, stop):
            place = (block - begin) * size
            if left == 0:
                target = of_inputs[cell.input_order[block]]
                parts += [(found[:width], target, place, *some) for some in of_block]
            if right > width:
                target = of_states[block - first]
                parts += [(found[width - left :], target, place, *some) for some in of_block]
    threads.run(lambda part: unpack_columns(*part), parts, of_inputs.size + of_states.size)
    return torch.from_numpy(of_inputs).view(-1, width), torch.from_numpy(of_states).view(-1, size)


def _side_by_side(inputs: Array, states: Array, before: Array | None = None) -> Array:
    """Return inputs (B, T, D) and states (B, T, H), those before each step if there are ``before`` (B, H)."""
    batch, steps, width = inputs.shape
    read = empty(batch * steps * (width + states.shape[-1]), inputs.dtype).reshape(batch, steps, -1)

    def some_rows(part: tuple[int, int]) -> None:
        rows = slice(*part)
        read[rows, :, :width] = inputs[rows]
        if before is None:
            read[rows, :, width:] = states[rows]
        else:
            read[rows, 0, width:] = before[rows]
            read[rows, 1:, width:] = states[rows, :-1]

    threads.run(some_rows, threads.ranges(batch, 1, batch), read.size)
    return read
