"""The recurrent layers of `models.recurrent.stack`, compiled: one code for a single step and for a long
sequence.

Inside, steps come first, (T, B, ...), so that a step is one piece of memory. Each weight is read once for all
B sequences. Rows of gates are those of torch's layers; a step's products go first into rows ``pre`` of all
gates, and a GRU, whose reset gate acts on the recurrent product alone, keeps that one apart.
"""

import math

import numpy as np
from numpy.typing import NDArray

from models.compiled.elementary import asinh, sigmoid, tanh
from models.compiled.simd import (
    PANEL,
    compiled,
    four_by_one,
    four_by_two,
    one_by_four,
    one_by_one,
    two_by_four,
    two_by_one,
)

Array = NDArray[np.float32]
Layers = tuple[int, bool, bool, Array, Array, Array, Array, Array, Array]
"""Kind of cell, residual, layer norm; weights of the first layer's inputs (M, D, PANEL), of the other layers'
(L - 1, M, H, PANEL), of the states (L, M, H, PANEL); biases (L, 2, M PANEL), the second that of a GRU's
recurrent product; peepholes (L, 3, H); gain and shift of the norms (L, 2, H)."""

TANH, GRU, LSTM, RESET_BEFORE_GRU = 0, 1, 2, 3
"""Kinds of cells. An LSTM without peepholes is one whose peepholes are zero."""

_NORM_EPSILON = 1e-5
_FOUR = np.float32(4.0)


@compiled
def add_product(x: Array, w: Array, out: Array) -> None:
    """Add rows (N, I) times the weights (M, I, PANEL) to the rows (N, at least M PANEL)."""
    rows, panels = x.shape[0], w.shape[0]
    together = rows - rows % 4
    for panel in range(0, panels - 1, 2):
        for row in range(0, together, 4):
            four_by_two(x, row, w, panel, out)
    if panels % 2:
        for row in range(0, together, 4):
            four_by_one(x, row, w, panels - 1, out)
    whole = panels - panels % 4
    if rows - together >= 2:
        for panel in range(0, whole, 4):
            two_by_four(x, together, w, panel, out)
        for panel in range(whole, panels):
            two_by_one(x, together, w, panel, out)
    if rows % 2:
        for panel in range(0, whole, 4):
            one_by_four(x, rows - 1, w, panel, out)
        for panel in range(whole, panels):
            one_by_one(x, rows - 1, w, panel, out)


@compiled
def copy(values: Array, out: Array) -> None:
    """Write the values (N); an assignment of arrays would take long to compile, for its error's text."""
    for i in range(out.size):
        out[i] = values[i]


@compiled
def fill_rows(values: Array, out: Array) -> None:
    """Write the values (M) into each row (N, M)."""
    for row in range(out.shape[0]):
        copy(values, out[row])


@compiled
def copy_rows(values: Array, out: Array) -> None:
    """Write the rows (N, M)."""
    for row in range(out.shape[0]):
        copy(values[row], out[row])


@compiled
def write_features(values: Array, step: np.float32, features: Array) -> None:
    """Write the first layer's inputs for values (D): themselves and, where ``step`` is not 0, companded."""
    seen = values.size
    copy(values, features[:seen])
    if step > 0:
        compand(values, step, features[seen:])


@compiled
def compand(values: Array, step: np.float32, out: Array) -> None:
    """Write the values (D) on the scale of `models.predictor.compand`."""
    for i in range(values.size):
        out[i] = asinh(values[i] / (_FOUR * step)) / _FOUR


@compiled
def run_layers(layers: Layers, x: Array, h: Array, c: Array, pre: Array, apart: Array, out: Array) -> None:
    """Run all layers over features. The states are updated in place.

    Args:
        layers: weights of `models.compiled.weights.layers_of`.
        x: features (T, B, D).
        h, c: states (L, B, H); ``c`` is unused where a cell has one state.
        pre: room for work, (T, B, M PANEL).
        apart: room for work, (B, M PANEL).
        out: receives the last layer's outputs, (T, B, H).
    """
    kind, residual, norm, first, upper, recurrent, bias, peephole, affine = layers
    steps, batch, size = out.shape
    flat = pre.reshape(steps * batch, pre.shape[2])
    for layer in range(h.shape[0]):
        fill_rows(bias[layer, 0], flat)
        below = out.copy() if layer and residual else out
        if layer:
            add_product(below.reshape(steps * batch, size), upper[layer - 1], flat)
        else:
            add_product(x.reshape(steps * batch, x.shape[2]), first, flat)
        for t in range(steps):
            _advance(
                kind, recurrent[layer], bias[layer, 1], peephole[layer], pre[t], apart, h[layer], c[layer]
            )
            copy_rows(h[layer], out[t])
        if norm:
            _normalise(affine[layer], out.reshape(steps * batch, size))
        if layer and residual:
            out += below


@compiled
def _advance(
    kind: int, w: Array, bias: Array, peephole: Array, pre: Array, apart: Array, h: Array, c: Array
) -> None:
    """Compute one step of one layer, given its inputs' part of the rows ``pre`` (B, M PANEL)."""
    batch, size = h.shape
    if kind == GRU:
        fill_rows(bias, apart)
        add_product(h, w, apart)
        for b in range(batch):
            _gru(pre[b], apart[b], h[b])
    elif kind == RESET_BEFORE_GRU:
        _reset_before(w, pre, apart, h)
    else:
        add_product(h, w, pre)
        for b in range(batch):
            if kind == LSTM:
                _lstm(pre[b], peephole, h[b], c[b])
            else:
                for j in range(size):
                    h[b, j] = tanh(pre[b, j])


@compiled
def _gru(pre: Array, apart: Array, h: Array) -> None:
    size = h.size
    for_r, for_z, for_g = pre[:size], pre[size : 2 * size], pre[2 * size : 3 * size]
    by_r, by_z, by_g = apart[:size], apart[size : 2 * size], apart[2 * size : 3 * size]
    for j in range(size):
        g = tanh(for_g[j] + sigmoid(for_r[j] + by_r[j]) * by_g[j])
        h[j] = g + sigmoid(for_z[j] + by_z[j]) * (h[j] - g)


@compiled
def _lstm(pre: Array, peephole: Array, h: Array, c: Array) -> None:
    size = h.size
    i, f, g, o = pre[:size], pre[size : 2 * size], pre[2 * size : 3 * size], pre[3 * size : 4 * size]
    of_i, of_f, of_o = peephole[0], peephole[1], peephole[2]
    for j in range(size):
        before = c[j]
        kept = sigmoid(f[j] + of_f[j] * before) * before
        after = kept + sigmoid(i[j] + of_i[j] * before) * tanh(g[j])
        c[j] = after
        h[j] = sigmoid(o[j] + of_o[j] * after) * tanh(after)


@compiled
def _reset_before(w: Array, pre: Array, apart: Array, h: Array) -> None:
    """Add the candidate's product after the reset gate; its rows begin with a panel of their own."""
    batch, size = h.shape
    gates = (2 * size + PANEL - 1) // PANEL
    add_product(h, w[:gates], pre)
    reset = np.empty_like(h)
    for b in range(batch):
        for j in range(size):
            reset[b, j] = sigmoid(pre[b, j]) * h[b, j]
    apart[:] = 0
    add_product(reset, w[gates:], apart)
    for b in range(batch):
        for_z, for_g, by_g = pre[b, size : 2 * size], pre[b, gates * PANEL :], apart[b]
        for j in range(size):
            g = tanh(for_g[j] + by_g[j])
            h[b, j] += sigmoid(for_z[j]) * (g - h[b, j])


@compiled
def _normalise(affine: Array, rows: Array) -> None:
    """Apply layer normalisation to the rows (N, H), in place."""
    gain, shift = affine[0], affine[1]
    for n in range(rows.shape[0]):
        row = rows[n]
        mean = 0.0
        for value in row:
            mean += value
        mean /= row.size
        variance = 0.0
        for value in row:
            variance += (value - mean) ** 2
        factor = np.float32(1 / math.sqrt(variance / row.size + _NORM_EPSILON))
        middle = np.float32(mean)
        for j in range(row.size):
            row[j] = (row[j] - middle) * factor * gain[j] + shift[j]
