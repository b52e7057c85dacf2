"""Gradients of a layer's weights, biases and inputs, from the gradients of its gates' sums over all steps."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.fused import threads
from models.fused.half import add_outer_words, as_words
from models.fused.memory import empty, zeros
from models.fused.products import Array, add_outer_products, even, multiply, pack_columns, padded
from models.fused.tiles import LANES, ROWS_AT_ONCE

_ROWS = 512
"""Most rows of the inputs' gradient in one part."""


class Source(NamedTuple):
    """Values (outer, inner, width) in a flat array, and the place of the step whose gradients they meet."""

    values: Array
    first: int
    outer_stride: int
    inner_stride: int
    step: int
    outer_steps: int
    inner_steps: int
    outer: int
    inner: int


class Sums(NamedTuple):
    """Gradients of the gates' sums in (B, T, blocks, H), flat, with LANES numbers of slack behind them."""

    values: Array
    batch: int
    steps: int
    blocks: int
    size: int
    half: bool

    def inputs(self, values: Array, width: int) -> Source:
        """Return values (B, T, width) as the source of a product with these gradients."""
        steps = self.steps
        return Source(values, 0, steps * width, width, 0, steps, 1, self.batch, steps)

    def before(self, states: Array, first: Array) -> list[Source]:
        """Return the states before each step, of states (B, T, H) after each and ``first`` (B, H)."""
        size, steps = self.size, self.steps
        later = Source(states, 0, steps * size, size, 1, steps, 1, self.batch, steps - 1)
        return [later, Source(first, 0, 0, size, 0, 0, steps, 1, self.batch)]

    def product(self, sources: list[Source], width: int, first_block: int, blocks: int) -> Tensor:
        """Return the gradient (blocks H, width) of weights that were multiplied with the sources."""
        columns = blocks * self.size
        row = padded(columns)
        found = zeros(-(-width // 4) * 4 * row, self.values.dtype)
        step = self.blocks * self.size
        add = add_outer_words if self.half else add_outer_products

        def some_panels(part: tuple[int, int]) -> None:
            for each in sources:
                place = first_block * self.size + each.step * step
                add(
                    each.values, each.first, each.outer_stride, each.inner_stride, width,
                    self.values, place, each.outer_steps * step, each.inner_steps * step,
                    each.outer, each.inner, found, 0, row, *part,
                )  # fmt: skip

        panels = row // LANES
        threads.run(some_panels, threads.ranges(panels, 1, panels))
        return torch.from_numpy(found).view(-1, row)[:width, :columns].t()

    def input_gradient(self, weights: Array, order: tuple[int, ...]) -> Tensor:
        """Return the gradient (B, T, D) of inputs of weights (G H, D), whose blocks the sums begin with."""
        size, width = self.size, weights.shape[1]
        terms, row = len(order) * size, padded(width)
        packed = zeros(even(terms) * row, self.values.dtype)
        panels = packed.reshape(row // LANES, even(terms), LANES)
        for place, block in enumerate(order):
            pack_columns(weights[block * size : (block + 1) * size], panels, place * size)
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

        threads.run(some_rows, threads.ranges(count, ROWS_AT_ONCE, _ROWS))
        return torch.from_numpy(found).view(self.batch, self.steps, row)[..., :width]
