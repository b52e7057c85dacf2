"""torch's GRU over a sequence, forward and backward, in compiled loops over some rows of the batch.

r, z = sigmoid(W x + b + U h' + c), q = U h' + c, n = tanh(W x + b + r q), h = (1 - z) n + z h'. Weights hold
their rows in the order r, z, n. Kept of a step are n, r, z, q in this order, and the gradients of their sums
too, so that both those that meet W (n, r, z) and those that meet U (r, z, q) are one piece.
"""

import numpy as np

from models.compiled.simd import compiled
from models.compiled.squashing import sigmoid, tanh
from models.fused.products import Array, Shape, add, copy, even, expect, multiply, padded
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

    ``constants`` are the biases of r, z, of n's input part and of q.
    """
    _, steps, width, size = shape
    span = even(width)
    rows, terms, panels = end - begin, span + size, (size + LANES - 1) // LANES
    pad, panel = panels * LANES, even(terms) * LANES
    row = np.zeros(rows * terms, x.dtype)
    pair = padded(2 * size)
    last = pair + pad
    wide = last + pad
    pre = np.empty(rows * wide, x.dtype)
    bias = constants
    of_n = pair // LANES * panel
    of_q = of_n + span * LANES
    for b in range(rows):
        copy(before[(begin + b) * size :], row[b * terms + span :], size)
    for t in range(steps):
        for b in range(rows):
            copy(x[((begin + b) * steps + t) * width :], row[b * terms :], width)
        multiply(row, 0, terms, rows, w, 0, panel, pair // LANES, terms, bias, 0, 0, pre, 0, wide)
        multiply(row, 0, terms, rows, w, of_n, panel, panels, span, bias, pair, 0, pre, pair, wide)
        multiply(row, span, terms, rows, w, of_q, panel, panels, size, bias, last, 0, pre, last, wide)
        for b in range(rows):
            at = b * wide
            pre_r, pre_z, pre_n, q_ = pre[at:], pre[at + size :], pre[at + pair :], pre[at + last :]
            at = ((begin + b) * kept_steps + min(t, kept_steps - 1)) * 4 * size
            n_, r_, z_ = kept[at:], kept[at + size :], kept[at + 2 * size :]
            state = row[b * terms + span :]
            for j in range(size):
                r_[j] = sigmoid(pre_r[j])
            for j in range(size):
                z_[j] = sigmoid(pre_z[j])
            for j in range(size):
                n_[j] = tanh(pre_n[j] + r_[j] * q_[j])
            for j in range(size):
                state[j] = n_[j] + z_[j] * (state[j] - n_[j])
            copy(state, out[((begin + b) * steps + t) * size :], size)
            copy(q_, kept[at + 3 * size :], size)


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
    rows, terms, panels = end - begin, 3 * size, (size + LANES - 1) // LANES
    pad, panel, stride = panels * LANES, even(terms) * LANES, 4 * size
    carried = np.zeros(rows * pad, out.dtype)
    one = out.dtype.type(1)
    for t in range(steps - 1, -1, -1):
        for b in range(rows):
            at = (begin + b) * steps + t
            expect(kept, (at + steps) * stride, stride)
            expect(grad_out, (at + steps) * size, size)
            expect(out, (at + steps - 1) * size, size)
            state = out[(at - 1) * size :] if t else before[(begin + b) * size :]
            grad, carry = grad_out[at * size :], carried[b * pad :]
            at *= stride
            n_, r_, z_, q_ = kept[at:], kept[at + size :], kept[at + 2 * size :], kept[at + 3 * size :]
            for j in range(size):
                n, z, d = n_[j], z_[j], carry[j] + grad[j]
                z_[j] = d * (state[j] - n) * z * (one - z)
                n_[j] = d * (one - z) * (one - n * n)
                carry[j] = d * z
            for j in range(size):
                r, d = r_[j], n_[j]
                r_[j] = d * q_[j] * r * (one - r)
                q_[j] = d * r
            add(n_, grad_biases[(begin + b) * stride :], stride)
        first = (begin * steps + t) * stride + size
        multiply(
            kept, first, steps * stride, rows, w, 0, panel, panels, terms, carried, 0, pad, carried, 0, pad
        )  # fmt: skip
    for b in range(rows):
        copy(carried[b * pad :], grad_before[(begin + b) * size :], size)
