"""The LSTM over a sequence, forward and backward, in compiled loops over some rows of the batch.

i, f = sigmoid(W x + U h' + b + p c'), g = tanh(W x + U h' + b), c = f c' + i g,
o = sigmoid(W x + U h' + b + p c), h = o tanh(c). Without peepholes, p is zero. Kept of a step are
i, f, g, o, c in this order.
"""

import numpy as np

from models.compiled.simd import compiled
from models.compiled.squashing import sigmoid, tanh
from models.fused.products import Array, Shape, add, add_products, copy, even, expect, multiply, padded
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
    """Run rows ``begin`` to ``end``; see `models.fused.cells.CompiledCell`.

    ``constants`` are the biases and the peepholes of i, f and o.
    """
    batch, steps, width, size = shape
    span = even(width)
    rows, terms, wide = end - begin, span + size, padded(4 * size)
    panel = even(terms) * LANES
    row = np.zeros(rows * terms, x.dtype)
    pre = np.empty(rows * wide, x.dtype)
    cells = np.empty(rows * size, x.dtype)
    peep_i, peep_f, peep_o = constants[wide:], constants[wide + size :], constants[wide + 2 * size :]
    for b in range(rows):
        copy(before[(begin + b) * size :], row[b * terms + span :], size)
        copy(before[(batch + begin + b) * size :], cells[b * size :], size)
    for t in range(steps):
        for b in range(rows):
            copy(x[((begin + b) * steps + t) * width :], row[b * terms :], width)
        multiply(row, 0, terms, rows, w, 0, panel, wide // LANES, terms, constants, 0, 0, pre, 0, wide)
        for b in range(rows):
            at = b * wide
            pre_i, pre_f, pre_g, pre_o = (
                pre[at:],
                pre[at + size :],
                pre[at + 2 * size :],
                pre[at + 3 * size :],
            )
            at = ((begin + b) * kept_steps + min(t, kept_steps - 1)) * 5 * size
            i_, f_, g_, o_ = kept[at:], kept[at + size :], kept[at + 2 * size :], kept[at + 3 * size :]
            cell, state = cells[b * size :], row[b * terms + span :]
            for j in range(size):
                i_[j] = sigmoid(pre_i[j] + peep_i[j] * cell[j])
            for j in range(size):
                f_[j] = sigmoid(pre_f[j] + peep_f[j] * cell[j])
            for j in range(size):
                g_[j] = tanh(pre_g[j])
            for j in range(size):
                cell[j] = f_[j] * cell[j] + i_[j] * g_[j]
            for j in range(size):
                o_[j] = sigmoid(pre_o[j] + peep_o[j] * cell[j])
            for j in range(size):
                state[j] = o_[j] * tanh(cell[j])
            copy(state, out[((begin + b) * steps + t) * size :], size)
            copy(cell, kept[at + 4 * size :], size)


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
    batch, steps, _, size = shape
    rows, terms, panels = end - begin, 4 * size, (size + LANES - 1) // LANES
    pad, panel, stride = panels * LANES, even(terms) * LANES, 5 * size
    carried = np.zeros(rows * pad, out.dtype)
    start = np.zeros(pad, out.dtype)
    wide = padded(terms)
    peep_i, peep_f, peep_o = constants[wide:], constants[wide + size :], constants[wide + 2 * size :]
    of_row = grad_biases.size // batch  # gradients of biases, and of peepholes where they are wanted
    one = out.dtype.type(1)
    for t in range(steps - 1, -1, -1):
        for b in range(rows):
            at = (begin + b) * steps + t
            expect(kept, (at + steps) * stride - size, stride + size)
            expect(grad_out, (at + steps) * size, size)
            grad, on_hidden = grad_out[at * size :], carried[b * pad :]
            on_cell = grad_before[(batch + begin + b) * size :]
            cell = kept[at * stride - size :] if t else before[(batch + begin + b) * size :]
            at *= stride
            i_, f_, g_, o_ = kept[at:], kept[at + size :], kept[at + 2 * size :], kept[at + 3 * size :]
            cell_after = kept[at + 4 * size :]
            for j in range(size):
                o, s, d = o_[j], tanh(cell_after[j]), on_hidden[j] + grad[j]
                o_[j] = d * s * o * (one - o)
                on_cell[j] += d * o * (one - s * s)
            for j in range(size):
                i, g, d = i_[j], g_[j], on_cell[j] + o_[j] * peep_o[j]
                on_cell[j] = d
                i_[j] = d * g * i * (one - i)
                g_[j] = d * i * (one - g * g)
            for j in range(size):
                f, d = f_[j], on_cell[j]
                of_f = d * cell[j] * f * (one - f)
                f_[j] = of_f
                on_cell[j] = d * f + i_[j] * peep_i[j] + of_f * peep_f[j]
            of_biases = grad_biases[(begin + b) * of_row :]
            add(i_, of_biases, terms)
            if of_row > terms:
                add_products(i_, cell, of_biases[terms:], size)
                add_products(f_, cell, of_biases[terms + size :], size)
                add_products(o_, cell_after, of_biases[terms + 2 * size :], size)
        first = (begin * steps + t) * stride
        multiply(
            kept, first, steps * stride, rows, w, 0, panel, panels, terms, start, 0, 0, carried, 0, pad
        )  # fmt: skip
    for b in range(rows):
        copy(carried[b * pad :], grad_before[(begin + b) * size :], size)
