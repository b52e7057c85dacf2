"""Conversion of a `models.predictor.Predictor`'s weights to the arrays that the compiled functions read."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.compiled import cells
from models.compiled.cells import GRU, RESET_BEFORE_GRU, Layers
from models.compiled.heads import AUTOREGRESSIVE, DIAGONAL, FULL, Head
from models.compiled.simd import PANEL
from models.recurrent.cells import find_cell

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

COVARIANCES = {"diagonal": DIAGONAL, "full": FULL, "autoregressive": AUTOREGRESSIVE}

_CACHE_LINE = 64


def kind_of(cell: str) -> int:
    """Return which of the kinds in `models.compiled.cells` computes a cell.

    Raises:
        ValueError: the cell is not compiled for CPUs.
    """
    name = find_cell(cell).compiled
    if name is None:
        raise ValueError(f"the cell {cell} has no compiled form")
    return int(getattr(cells, name))


def layers_of(weights: Weights, cell: str, residual: bool) -> Layers:
    """Return the recurrent layers, of any number, as `models.compiled.cells` reads them.

    Args:
        weights: arrays by name, as `models.compiled.shapes.checked` returns them.
        cell: name of the cell.
        residual: whether the inputs of upper layers are added to their outputs.
    """
    kind = kind_of(cell)
    size = weights[f"recurrent.layers.0.{_names(weights)[1]}"].shape[1]
    count = _layer_count(weights)
    stack = [_layer(weights, index, kind) for index in range(count)]
    norm = "recurrent.norms.0.weight" in weights
    affine = np.zeros((len(stack), 2, size), np.float32)
    for index in range(len(stack)) if norm else ():
        affine[index] = [weights[f"recurrent.norms.{index}.{name}"] for name in ("weight", "bias")]
    first, recurrent = stack[0][0], np.stack([layer[1] for layer in stack])
    upper = [layer[0] for layer in stack[1:]] or [np.zeros((0, 0, PANEL), np.float32)]
    bias = np.stack([layer[2] for layer in stack])
    peephole = np.stack([layer[3] for layer in stack])
    arrays = (first, np.stack(upper), recurrent, bias, peephole, affine)
    return (kind, residual, norm, *(aligned(array) for array in arrays))  # type: ignore[return-value]


def _layer_count(weights: Weights) -> int:
    return len({name.split(".")[2] for name in weights if name.startswith("recurrent.layers.")})


def _names(weights: Weights) -> tuple[str, str]:
    """Names of input and recurrent weights: torch's own layers have suffixes."""
    suffix = "_l0" if "recurrent.layers.0.weight_ih_l0" in weights else ""
    return f"weight_ih{suffix}", f"weight_hh{suffix}"


def _layer(weights: Weights, index: int, kind: int) -> tuple[Array, Array, Array, Array]:
    """Panels of input and recurrent weights, biases (2, M PANEL) and peepholes (3, H)."""
    own = {
        name.split(".", 3)[3]: value
        for name, value in weights.items()
        if name.startswith(f"recurrent.layers.{index}.")
    }
    by_input, by_state = _names(weights)
    size = own[by_state].shape[1]
    first, second = own.get("bias_ih_l0"), own.get("bias_hh_l0")
    if first is None or second is None:
        first, second = own["bias"], np.zeros_like(own["bias"])
    if kind != GRU:
        first, second = first + second, np.zeros_like(second)
    # See `compiled_cells._reset_before`.
    ahead = 2 * size if kind == RESET_BEFORE_GRU else 0
    return (
        panels(own[by_input], ahead),
        panels(own[by_state], ahead),
        np.stack([padded(part, ahead) for part in (first, second)]),
        own.get("peephole", np.zeros((3, size), np.float32)),
    )


def head_of(weights: Weights, covariance: str, target_size: int, components: int, scale_floor: float) -> Head:
    """Return the mixture head as `models.compiled.heads` reads it.

    Args:
        weights: arrays by name, as `models.compiled.shapes.checked` returns them.
        covariance: covariance of the mixture.
        target_size: values of a step, D.
        components: components of the mixture, K.
        scale_floor: lower bound of the scales, in units of the normalised values.
    """
    weight, bias = weights["head.projection.weight"], weights["head.projection.bias"]
    start = weights.get("head.start", np.zeros(0, np.float32))
    basis = weights.get("head.basis", np.zeros((0, 0), np.float32))
    # Rows of the projection: all components' logits, then all their means, and so on.
    counts = {
        "diagonal": [target_size, target_size],
        "full": [target_size, target_size, target_size * (target_size - 1) // 2],
        "autoregressive": [1, target_size, len(start)],
    }[covariance]
    ends = np.cumsum([components] + [components * count for count in counts])[:-1]
    kinds = [part.reshape(components, -1, weight.shape[1]) for part in np.split(weight, ends)[1:]]
    biases = [part.reshape(components, -1) for part in np.split(bias, ends)[1:]]
    return (
        COVARIANCES[covariance],
        target_size,
        panels(weight[:components]),
        aligned(padded(bias[:components])),
        aligned(np.stack([panels(rows) for rows in np.concatenate(kinds, 1)])),
        aligned(np.stack([padded(row)[None] for row in np.concatenate(biases, 1)])),
        np.float32(scale_floor),
        aligned(start),
        panels(basis.T),
    )


def panels(matrix: Array, ahead: int = 0) -> Array:
    """Return weights (M, I) with the outputs side by side, (panels, I, PANEL); see `padded` for ``ahead``."""
    rows = padded(matrix, ahead)
    return aligned(rows.reshape(len(rows) // PANEL, PANEL, matrix.shape[1]).transpose(0, 2, 1))


def padded(rows: Array, ahead: int = 0) -> Array:
    """Return rows (M, ...) with zeros after the first ``ahead`` and after the others, up to whole panels."""
    parts = [
        np.pad(part, [(0, -len(part) % PANEL)] + [(0, 0)] * (rows.ndim - 1))
        for part in (rows[:ahead], rows[ahead:])
    ]
    return np.concatenate(parts).astype(np.float32)


def aligned(array: Array) -> Array:
    """Return the same numbers in C order, starting at a cache line, so that no vector lies in two of them."""
    room = np.empty(array.nbytes + _CACHE_LINE, np.uint8)
    begin = -room.ctypes.data % _CACHE_LINE
    new = room[begin : begin + array.nbytes].view(np.float32).reshape(array.shape)
    new[...] = array
    return new
