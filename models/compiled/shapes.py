"""Whether weights have the shapes that their settings call for: compiled code reads without looking."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.recurrent.cells import find_cell

Weights = Mapping[str, NDArray[np.float32]]
Shape = tuple[int, ...]


def checked(
    weights: Weights, cell: str, input_size: int, covariance: str, target_size: int, components: int
) -> Weights:
    """The weights of a `models.predictor.Predictor` as float32, all there and none too many.

    Widths and the number of layers are taken from the recurrent weights. Raises `ValueError` for what does
    not fit, `KeyError` where the first of them is missing.
    """
    suffix = "" if cell.startswith("chung2014-") else "_l0"
    recurrent = weights[f"recurrent.layers.0.weight_hh{suffix}"]
    if recurrent.ndim != 2 or not recurrent.size:
        raise ValueError(f"recurrent weights of shape {recurrent.shape}")
    size = recurrent.shape[1]
    layers = len({name.split(".")[2] for name in weights if name.startswith("recurrent.layers.")})
    expected: dict[str, Shape] = {}
    for index in range(layers):
        expected |= _layer(f"recurrent.layers.{index}.", cell, size if index else input_size, size)
        if "recurrent.norms.0.weight" in weights:
            expected |= {f"recurrent.norms.{index}.{name}": (size,) for name in ("weight", "bias")}
    if "recurrent.start" in weights:
        expected["recurrent.start"] = (len(find_cell(cell).state_names), layers, 1, size)
    expected |= _head(weights, size, covariance, target_size, components)
    for name in expected.keys() ^ weights.keys():
        raise ValueError(f"weights {name} are {'missing' if name in expected else 'too many'}")
    for name, shape in expected.items():
        if weights[name].shape != shape:
            raise ValueError(f"weights {name} of shape {weights[name].shape}, where {shape} is needed")
    return {name: np.asarray(array, np.float32) for name, array in weights.items()}


def _layer(prefix: str, cell: str, input_size: int, size: int) -> dict[str, Shape]:
    rows = find_cell(cell).gates * size
    if not cell.startswith("chung2014-"):
        shapes = {"weight_ih_l0": (rows, input_size), "weight_hh_l0": (rows, size)}
        return {f"{prefix}{name}": shape for name, shape in shapes.items()} | {
            f"{prefix}{name}": (rows,) for name in ("bias_ih_l0", "bias_hh_l0")
        }
    own: dict[str, Shape] = {"weight_ih": (rows, input_size), "weight_hh": (rows, size), "bias": (rows,)}
    if cell == "chung2014-lstm":
        own["peephole"] = (3, size)
    return {f"{prefix}{name}": shape for name, shape in own.items()}


def _head(
    weights: Weights, size: int, covariance: str, target_size: int, components: int
) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    count = 1 + 2 * target_size
    if covariance == "full":
        count += target_size * (target_size - 1) // 2
    if covariance == "autoregressive":
        order = weights["head.start"].size
        count = 2 + target_size + order
        shapes = {"head.start": (order,), "head.basis": (order, order)}
    rows = components * count
    return shapes | {"head.projection.weight": (rows, size), "head.projection.bias": (rows,)}
