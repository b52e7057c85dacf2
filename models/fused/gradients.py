"""Gradients of a layer's weights, biases and inputs, from the gradients of its gates' sums over all steps."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.fused import threads
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

    def product(self, sources: list[Source], width: int, first_block: int, order: Sequence[int]) -> Tensor:
        """Return the gradient (blocks H, width) of weights that were multiplied with the sources.

        ``order`` has the block of the weights for each block of these sums, from ``first_block`` on.
        """
        size, columns = self.size, len(order) * self.size
        row = padded(columns)
        found = empty(-(-width // 4) * 4 * row, self.values.dtype)
        step = self.blocks * size
        add = add_outer_words if self.half else add_outer_products

        def some_panels(part: tuple[int, int]) -> None:
            found.reshape(-1, row)[:, part[0] * LANES : part[1] * LANES] = 0
            for each in sources:
                place = first_block * size + each.step * step
                add(
                    each.values, each.first, each.outer_stride, each.inner_stride, width,
                    self.values, place, each.outer_steps * step, each.inner_steps * step,
                    each.outer, each.inner, found, 0, row, *part,
                )  # fmt: skip

        threads.run(some_panels, threads.ranges(row // LANES, 1, _PANELS))
        gradient = empty(columns * width, found.dtype).reshape(len(order), size, width)

        def some_rows(part: tuple[int, int, int]) -> None:
            place, *some = part
            unpack_columns(found, row, place * size, gradient[order[place]], *some)

        of_block = threads.ranges(size, LANES, padded(size))
        threads.run(some_rows, [(place, *some) for place in range(len(order)) for some in of_block])
        return torch.from_numpy(gradient).view(columns, width)

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
        threads.run(lambda part: pack_columns(*part), parts)
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
