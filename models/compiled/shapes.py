"""Check of the shapes of weights against their settings, since compiled code reads without bounds."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.recurrent.cells import find_cell

Weights = Mapping[str, NDArray[np.float32]]
Shape = tuple[int, ...]


def checked(
    weights: Weights, cell: str, input_size: int, covariance: str | None, target_size: int, components: int
) -> Weights:
    """Return the weights of a `models.predictor.Predictor` as float32, after a check of names and shapes.

    Widths and the number of layers are taken from the recurrent weights.

    Args:
        weights: arrays by name.
        cell: name of the cell.
        input_size: features that the first layer reads.
        covariance: covariance of the mixture; None for a head of another kind, which may project to any size.
        target_size: values of a step, D.
        components: components of the mixture, K.

    Raises:
        ValueError: a weight has a wrong shape, is missing or is not expected.
        KeyError: the first layer's recurrent weights are missing.
    """
    found = find_cell(cell)
    (recurrent_name,) = (name for name in found.parameter_shapes(1, 1) if name.startswith("weight_hh"))
    recurrent = weights[f"recurrent.layers.0.{recurrent_name}"]
    if recurrent.ndim != 2 or not recurrent.size:
        raise ValueError(f"recurrent weights of shape {recurrent.shape}")
    size = recurrent.shape[1]
    layers = len({name.split(".")[2] for name in weights if name.startswith("recurrent.layers.")})
    expected: dict[str, Shape] = {}
    for index in range(layers):
        own = found.parameter_shapes(size if index else input_size, size)
        expected |= {f"recurrent.layers.{index}.{name}": shape for name, shape in own.items()}
        if "recurrent.norms.0.weight" in weights:
            expected |= {f"recurrent.norms.{index}.{name}": (size,) for name in ("weight", "bias")}
    if "recurrent.start" in weights:
        expected["recurrent.start"] = (len(found.state_names), layers, 1, size)
    expected |= _head(weights, size, covariance, target_size, components)
    for name in expected.keys() ^ weights.keys():
        raise ValueError(f"weights {name} are {'missing' if name in expected else 'too many'}")
    for name, shape in expected.items():
        if weights[name].shape != shape:
            raise ValueError(f"weights {name} of shape {weights[name].shape}, where {shape} is needed")
    return {name: np.asarray(array, np.float32) for name, array in weights.items()}


def _head(
    weights: Weights, size: int, covariance: str | None, target_size: int, components: int
) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    count = 1 + 2 * target_size
    if covariance == "full":
        count += target_size * (target_size - 1) // 2
    if covariance == "autoregressive":
        order = weights["head.start"].size
        count = 2 + target_size + order
        shapes = {"head.start": (order,), "head.basis": (order, order)}
    rows = components * count if covariance else len(weights["head.projection.bias"])
    return shapes | {"head.projection.weight": (rows, size), "head.projection.bias": (rows,)}
