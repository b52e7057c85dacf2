"""The tanh unit over a sequence, forward and backward, in compiled loops over some rows of the batch.

h = tanh(W x + U h' + b). Nothing is kept: the derivative is a function of h.
"""

import numpy as np

from models.compiled.simd import compiled
from models.compiled.squashing import tanh
from models.fused.products import Array, Shape, add, copy, even, expect, multiply
from models.fused.tiles import LANES


@compiled
def forward(
    shape: Shape,
    x: Array,
    before: Array,
    w: Array,
    constants: Array,
    out: Array,
    kept: Array,
    kept_steps: int,
    begin: int,
    end: int,
) -> None:
    """Run rows ``begin`` to ``end``; see `models.fused.cells.CompiledCell`. ``constants`` are the biases."""
    _, steps, width, size = shape
    span = even(width)
    rows, terms, panels = end - begin, span + size, (size + LANES - 1) // LANES
    pad = panels * LANES
    row = np.zeros(rows * terms, x.dtype)
    pre = np.empty(rows * pad, x.dtype)
    for b in range(rows):
        copy(before[(begin + b) * size :], row[b * terms + span :], size)
    for t in range(steps):
        for b in range(rows):
            copy(x[((begin + b) * steps + t) * width :], row[b * terms :], width)
        multiply(row, 0, terms, rows, w, 0, even(terms) * LANES, panels, terms, constants, 0, 0, pre, 0, pad)
        for b in range(rows):
            sums, state = pre[b * pad :], row[b * terms + span :]
            for j in range(size):
                state[j] = tanh(sums[j])
            copy(state, out[((begin + b) * steps + t) * size :], size)


@compiled
def backward(
    shape: Shape,
    grad_out: Array,
    before: Array,
    out: Array,
    kept: Array,
    w: Array,
    constants: Array,
    grad_biases: Array,
    grad_before: Array,
    begin: int,
    end: int,
) -> None:
    """Run rows ``begin`` to ``end`` back in time; see `models.fused.cells.CompiledCell`."""
    _, steps, _, size = shape
    rows, panels = end - begin, (size + LANES - 1) // LANES
    pad, panel = panels * LANES, even(size) * LANES
    carried = np.zeros(rows * pad, out.dtype)
    start = np.zeros(pad, out.dtype)
    one = out.dtype.type(1)
    for t in range(steps - 1, -1, -1):
        for b in range(rows):
            at = ((begin + b) * steps + t) * size
            expect(out, at + steps * size, size)
            expect(grad_out, at + steps * size, size)
            state, grad, carry, sum_ = out[at:], grad_out[at:], carried[b * pad :], kept[at:]
            for j in range(size):
                sum_[j] = (carry[j] + grad[j]) * (one - state[j] * state[j])
            add(sum_, grad_biases[(begin + b) * size :], size)
        first = (begin * steps + t) * size
        multiply(
            kept, first, steps * size, rows, w, 0, panel, panels, size, start, 0, 0, carried, 0, pad
        )  # fmt: skip
    for b in range(rows):
        copy(carried[b * pad :], grad_before[(begin + b) * size :], size)
