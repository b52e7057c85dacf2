"""The GRU of Chung et al. (2014) over a sequence, in compiled loops over some rows of the batch.

r, z = sigmoid(W x + U h' + b), g = tanh(W x + U (r h') + b), h = (1 - z) h' + z g. Kept of a step are r, z, g
and r h' in this order.
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
    """Run rows ``begin`` to ``end``; see `models.fused.cells.CompiledCell`. ``constants`` are the biases."""
    _, steps, width, size = shape
    span = even(width)
    rows, terms, panels = end - begin, span + size, (size + LANES - 1) // LANES
    pad, panel = panels * LANES, even(terms) * LANES
    row = np.zeros(rows * terms, x.dtype)
    pair = padded(2 * size)
    of_g, wide = pair // LANES * panel, pair + pad
    pre = np.empty(rows * wide, x.dtype)
    for b in range(rows):
        copy(before[(begin + b) * size :], row[b * terms + span :], size)
    for t in range(steps):
        for b in range(rows):
            copy(x[((begin + b) * steps + t) * width :], row[b * terms :], width)
        multiply(row, 0, terms, rows, w, 0, panel, pair // LANES, terms, constants, 0, 0, pre, 0, wide)
        for b in range(rows):
            pre_r, pre_z, state = pre[b * wide :], pre[b * wide + size :], row[b * terms + span :]
            at = ((begin + b) * kept_steps + min(t, kept_steps - 1)) * 4 * size
            r_, z_ = kept[at:], kept[at + size :]
            for j in range(size):
                r_[j] = sigmoid(pre_r[j])
            for j in range(size):
                z_[j] = sigmoid(pre_z[j])
            for j in range(size):
                state[j] *= r_[j]
            copy(state, kept[at + 3 * size :], size)
        multiply(row, 0, terms, rows, w, of_g, panel, panels, terms, constants, pair, 0, pre, pair, wide)
        for b in range(rows):
            pre_g, state = pre[b * wide + pair :], row[b * terms + span :]
            at = ((begin + b) * kept_steps + min(t, kept_steps - 1)) * 4 * size
            z_, g_ = kept[at + size :], kept[at + 2 * size :]
            at = ((begin + b) * steps + t) * size
            last = out[at - size :] if t else before[(begin + b) * size :]
            for j in range(size):
                g_[j] = tanh(pre_g[j])
            for j in range(size):
                state[j] = last[j] + z_[j] * (g_[j] - last[j])
            copy(state, out[at:], size)


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
    pair, of_g, distance = 2 * size, 2 * size * LANES, steps * stride
    carried = np.zeros(rows * pad, out.dtype)
    start = np.zeros(pad, out.dtype)
    on_resets = np.empty(rows * pad, out.dtype)
    one = out.dtype.type(1)
    for t in range(steps - 1, -1, -1):
        for b in range(rows):
            at = (begin + b) * steps + t
            expect(kept, (at + steps) * stride + size, pair)
            expect(grad_out, (at + steps) * size, size)
            expect(out, (at + steps - 1) * size, size)
            state = out[(at - 1) * size :] if t else before[(begin + b) * size :]
            grad, carry = grad_out[at * size :], carried[b * pad :]
            z_, g_ = kept[at * stride + size :], kept[at * stride + pair :]
            for j in range(size):
                z, g, d = z_[j], g_[j], carry[j] + grad[j]
                z_[j] = d * (g - state[j]) * z * (one - z)
                g_[j] = d * z * (one - g * g)
                carry[j] = d * (one - z)
        first = (begin * steps + t) * stride
        multiply(
            kept, first + pair, distance, rows, w, of_g, panel, panels, size, start, 0, 0, on_resets, 0, pad
        )  # fmt: skip
        for b in range(rows):
            at = (begin + b) * steps + t
            expect(kept, (at + steps) * stride, size)
            state = out[(at - 1) * size :] if t else before[(begin + b) * size :]
            carry, on_reset, r_ = carried[b * pad :], on_resets[b * pad :], kept[at * stride :]
            for j in range(size):
                r, d = r_[j], on_reset[j]
                r_[j] = d * state[j] * r * (one - r)
                carry[j] += d * r
            add(r_, grad_biases[(begin + b) * terms :], terms)
        multiply(kept, first, distance, rows, w, 0, panel, panels, pair, carried, 0, pad, carried, 0, pad)
    for b in range(rows):
        copy(carried[b * pad :], grad_before[(begin + b) * size :], size)
