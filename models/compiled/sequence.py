"""The compiled layers and the head's projection over given inputs: single steps and sequences."""

import numpy as np

from models.compiled.cells import Array, Layers, add_product, copy, fill_rows, run_layers, write_features
from models.compiled.simd import compiled

_ROWS = 64
"""Steps, over all sequences, whose inputs go through the weights at once."""


@compiled
def run_sequence(
    layers: Layers, seen: int, companding_step: np.float32, inputs: Array, h: Array, c: Array, hidden: Array
) -> None:
    """Run the recurrent layers over a sequence. The states are updated in place.

    Args:
        layers: weights of `models.compiled.weights.layers_of`.
        seen: how many of the last values of an input the layers read.
        companding_step: quantisation step of the companded inputs; 0 without companding.
        inputs: (B, T, D_in).
        h, c: states (L, B, H).
        hidden: receives the outputs, (B, T, H).
    """
    batch, steps, width = inputs.shape
    chunk = max(1, min(steps, _ROWS // batch))
    features = np.empty((chunk, batch, seen if companding_step == 0 else 2 * seen), np.float32)
    pre = np.empty((chunk, batch, layers[6].shape[2]), np.float32)
    apart = np.empty_like(pre[0])
    out = np.empty((chunk, batch, h.shape[2]), np.float32)
    for begin in range(0, steps, chunk):
        count = min(chunk, steps - begin)
        for t in range(count):
            for b in range(batch):
                write_features(inputs[b, begin + t, width - seen :], companding_step, features[t, b])
        run_layers(layers, features[:count], h, c, pre[:count], apart, out[:count])
        for t in range(count):
            for b in range(batch):
                copy(out[t, b], hidden[b, begin + t])


@compiled
def project(rows: Array, w: Array, bias: Array, out: Array) -> None:
    """Write rows (N, H) times weights (M, H, PANEL) plus biases (M PANEL) to rows (N, M PANEL)."""
    fill_rows(bias, out)
    add_product(rows, w, out)


@compiled
def run_step(
    layers: Layers,
    head: tuple[Array, Array],
    seen: int,
    companding_step: np.float32,
    inputs: Array,
    h: Array,
    c: Array,
    out: Array,
) -> None:
    """Compute the head's parameters of one step. The states are updated in place.

    Args:
        layers: weights of `models.compiled.weights.layers_of`.
        head: the head's projection (M, H, PANEL) and bias (M PANEL).
        seen: how many of the last values of an input the layers read.
        companding_step: quantisation step of the companded inputs; 0 without companding.
        inputs: (B, D_in).
        h, c: states (L, B, H).
        out: receives the parameters, (B, M PANEL).
    """
    batch = len(inputs)
    hidden = np.empty((batch, 1, h.shape[2]), np.float32)
    run_sequence(layers, seen, companding_step, inputs.reshape(batch, 1, -1), h, c, hidden)
    project(hidden.reshape(batch, -1), head[0], head[1], out)
