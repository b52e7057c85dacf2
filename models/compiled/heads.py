"""The mixture heads of `models.heads`, compiled: draws from one component, of which alone all is computed.

A component's parameters stand in one row: its means (or the offset of its linear predictor), its raw log
scales, and what its covariance adds (nothing, C below the diagonal, or weights of backward errors).
"""

import numpy as np
from numpy.typing import NDArray

from models.compiled.cells import add_product, copy
from models.compiled.elementary import exp
from models.compiled.simd import compiled
from models.compiled.stability import make_stable
from models.distributions.constants import MAX_RAW_SCALE

Array = NDArray[np.float32]
Head = tuple[int, int, Array, Array, Array, Array, np.float32, Array, Array]
"""Kind of covariance and D; weights (M, H, PANEL) and biases (M PANEL) of the logits, weights
(K, M, H, PANEL) and biases (K, 1, M PANEL) of the components, the floor of the scales, and of an
autoregressive head the predictor (P) that it starts at and the basis (M, P, PANEL) of its changes."""

DIAGONAL, FULL, AUTOREGRESSIVE = 0, 1, 2
"""Kinds of covariance."""

_MAX_RAW = np.float32(MAX_RAW_SCALE)
_COLDEST = np.float32(1e-30)
"""As in `models.distributions.mixture`."""


@compiled
def choose(logits: Array, temperature: np.float32, uniform: np.float32, running: Array) -> int:
    """Return the index of the component that a random number selects.

    Args:
        logits: (K,) or longer.
        temperature: divides the logits; near 0, the most likely component is selected.
        uniform: a number in [0, 1).
        running: room for work, (K,).
    """
    if temperature < _COLDEST:
        likeliest = 0
        for k in range(running.size):
            likeliest = k if logits[k] > logits[likeliest] else likeliest
        return likeliest
    weigh(logits, temperature, running)
    total = np.float32(0.0)
    for k in range(running.size):
        total += running[k]
        running[k] = total
    chosen = 0
    while chosen < running.size - 1 and running[chosen] <= uniform * total:
        chosen += 1
    return chosen


@compiled
def weigh(logits: Array, temperature: np.float32, weights: Array) -> None:
    """Compute the weights (K) of components relative to the likeliest."""
    highest = logits[0]
    for k in range(weights.size):
        highest = logits[k] if logits[k] > highest else highest
    for k in range(weights.size):
        weights[k] = exp((logits[k] - highest) / temperature)


@compiled
def deviate(
    head: Head, parameters: Array, noise: Array, noise_scale: np.float32, max_scale: np.float32, values: Array
) -> bool:
    """Compute the deviations of a step's values from their conditional means.

    Args:
        head: weights, as `models.compiled.weights.head_of` lays them out.
        parameters: the component's row of parameters.
        noise: (D,), standard normal.
        noise_scale: multiplies the scales.
        max_scale: larger scales are replaced by it.
        values: receives the deviations, (D,).

    Returns:
        Whether a scale was clipped.
    """
    kind, size, _, _, _, _, floor, _, _ = head
    raw = parameters[1:] if kind == AUTOREGRESSIVE else parameters[size:]
    scale_clipped = False
    for n in range(size):
        scale = exp(_MAX_RAW if raw[n] > _MAX_RAW else raw[n]) + floor
        if scale > max_scale:
            scale = max_scale
            scale_clipped = True
        values[n] = noise_scale * scale * noise[n]
    return scale_clipped


@compiled
def add_means(
    head: Head, parameters: Array, history: Array, bounded: bool, predictor: Array, values: Array
) -> None:
    """Turn deviations in one component into values.

    Args:
        head: weights, as `models.compiled.weights.head_of` lays them out.
        parameters: the component's row of parameters.
        history: the normalised values before the step, (W,).
        bounded: whether an unstable linear predictor is made stable.
        predictor: room for work, (1, M PANEL).
        values: deviations (D,), replaced by values.
    """
    kind, size, _, _, _, _, _, start, basis = head
    if kind == AUTOREGRESSIVE:
        order = start.size
        copy(start, predictor[0, :order])
        change = parameters[1 + size : 1 + size + order].copy()
        add_product(change.reshape(1, order), basis, predictor)
        if bounded:
            make_stable(predictor[0, :order])
        _predict(parameters[0], predictor[0, :order], history[history.size - order :], values)
        return
    if kind == FULL:
        _correlate(parameters[2 * size :], values)
    for n in range(size):
        values[n] += parameters[n]


@compiled
def _correlate(lower: Array, values: Array) -> None:
    """Let each deviation (D) add its share to those after it; ``lower`` is C, row by row."""
    at = 0
    for n in range(1, values.size):
        total = values[n]
        for m in range(n):
            total += lower[at + m] * values[m]
        values[n] = total
        at += n


@compiled
def _predict(offset: np.float32, predictor: Array, history: Array, values: Array) -> None:
    """Turn what a predictor (P) errs by (D) into the values that follow a history (P)."""
    order = predictor.size
    line = np.empty(order + values.size, np.float32)
    copy(history, line[:order])
    falling = predictor[::-1].copy()
    paired = order - order % 4
    for n in range(values.size):
        before = line[n : n + order]
        a, b, c, d = offset, values[n], np.float32(0.0), np.float32(0.0)
        for p in range(0, paired, 4):
            a += falling[p] * before[p]
            b += falling[p + 1] * before[p + 1]
            c += falling[p + 2] * before[p + 2]
            d += falling[p + 3] * before[p + 3]
        for p in range(paired, order):
            a += falling[p] * before[p]
        values[n] = (a + c) + (b + d)
        line[order + n] = values[n]
