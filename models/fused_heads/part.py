"""Training of a head on some rows, compiled: projection, likelihood, and the gradients of both."""

from models.compiled.simd import compiled
from models.fused.products import padded
from models.fused.tiles import LANES
from models.fused_heads.blocks import ROWS, Array, load_columns, product
from models.fused_heads.covariances import (
    full_gradients,
    full_means,
    load_line,
    predicted_means,
    predictor_gradients,
    read_line,
)
from models.fused_heads.density import add_density
from models.fused_heads.interval import BOUNDS, add_interval, load_bounds
from models.fused_heads.mixing import mix, weigh
from models.fused_heads.notes import notes

DIAGONAL, FULL, AUTOREGRESSIVE, NOTES = 0, 1, 2, 3
"""Kinds of heads."""

Shape = tuple[int, int, int, int, int]
"""Kind of head, K, D, the order of its predictors, and H."""


def room_of(shape: Shape, parameters: int) -> int:
    """Return how many numbers of room `train_rows` needs, for a head with P parameters."""
    _, components, size, order, hidden = shape
    mixture = components * (size + 1) + (order + size) + size * basis_rows(order) + BOUNDS * size
    return ROWS * (parameters + 3 + 2 * padded(hidden + 1) + hidden + 2 + mixture + 2 * size + size + 6)


def basis_rows(order: int) -> int:
    """Return the rows of a basis and its predictor, a multiple of four."""
    return -(-(order + 1) // 4) * 4


@compiled
def train_rows(
    shape: Shape,
    hidden: Array,
    strides: tuple[int, int, int],
    targets: Array,
    mask: Array,
    history: Array,
    bounds: tuple[Array, Array],
    w: Array,
    basis: Array,
    scalars: tuple[float, float],
    log_prob: Array,
    grad_hidden: Array,
    grad_w: Array,
    room: Array,
    begin: int,
    end: int,
) -> None:
    """Compute the log-likelihoods of rows ``begin`` to ``end`` and all gradients of their weighted sum.

    Args:
        shape: see `Shape`.
        hidden: flat, holds the hidden vectors.
        strides: T, and the distances in ``hidden`` between sequences and between steps.
        targets: (N, D).
        mask: (N, D) 0 where an output is left out, or (0, D) if none is.
        history: (N, order) values before each row, of autoregressive heads.
        bounds: of intervals, (N, D) each in double precision; (0, D) for densities.
        w: weights and biases (P rounded up to 4, padded(H + 1)), flat.
        basis: of autoregressive heads: basis and predictor (basis_rows, order), flat.
        scalars: floor of the scales, and factor of all gradients.
        log_prob: (N), receives log-likelihoods.
        grad_hidden: (N, H), receives the gradient of the hidden vectors.
        grad_w: as ``w``, receives its gradient, summed over these rows.
        room: room for work, of `room_of` numbers.
    """
    kind, components, size, order, width = shape
    floor, factor = scalars
    zero, one = room.dtype.type(0), room.dtype.type(1)
    row = padded(width + 1)
    parameters = w.size // row
    rows = basis.size // order if order else 0
    at = 0
    zeros, at = room[at : at + ROWS], at + ROWS
    weight, at = room[at : at + ROWS], at + ROWS
    found, at = room[at : at + ROWS], at + ROWS
    small, at = room[at : at + 4 * ROWS], at + 4 * ROWS
    across, at = room[at : at + (width + 1) * ROWS], at + (width + 1) * ROWS
    lengthwise, at = room[at : at + row * ROWS], at + row * ROWS
    grad, at = room[at : at + row * ROWS], at + row * ROWS
    projected, at = room[at : at + parameters * ROWS], at + parameters * ROWS
    value, at = room[at : at + size * ROWS], at + size * ROWS
    present, at = room[at : at + size * ROWS], at + size * ROWS
    deviation, at = room[at : at + size * ROWS], at + size * ROWS
    joint, at = room[at : at + components * ROWS], at + components * ROWS
    conditional, at = room[at : at + components * size * ROWS], at + components * size * ROWS
    line, at = room[at : at + (order + size) * ROWS], at + (order + size) * ROWS
    read, at = room[at : at + size * rows * ROWS], at + size * rows * ROWS
    intervals = room[at : at + BOUNDS * size * ROWS]
    zeros[:] = zero
    grad_w[:] = zero
    for first in range(begin, end, ROWS):
        last = min(first + ROWS, end)
        _load_hidden(hidden, strides, first, last, width, across, lengthwise)
        product(w, 0, row, 1, parameters, across, 0, ROWS, ROWS // LANES, width + 1, zeros, 0, 0, 0, projected, 0, ROWS)
        load_columns(targets, first, last, value, size)
        _load_mask(mask, first, last, factor, size, present, weight)
        if kind == NOTES:
            notes(size, weight, value, present, projected, found)
        else:
            joint[:] = zero
            middle = components if kind == AUTOREGRESSIVE else components * size
            logits = projected[: components * ROWS]
            mean = projected[components * ROWS : (components + middle) * ROWS]
            raw = projected[(components + middle) * ROWS : (components + middle + components * size) * ROWS]
            more = projected[(components + middle + components * size) * ROWS :]
            slopes = mean if kind == DIAGONAL else conditional
            if kind == FULL:
                full_means(components, size, value, mean, more, slopes, deviation)
            if kind == AUTOREGRESSIVE:
                load_line(history, value, first, last, order, size, line)
                read_line(order, size, basis, rows, line, zeros, read)
                predicted_means(components, size, order, rows, mean, more, read, slopes)
            if len(bounds[0]):
                load_bounds(bounds[0], bounds[1], first, last, intervals, size)
                add_interval(components, size, floor, intervals, present, slopes, raw, joint, small)
            else:
                add_density(components, size, floor, value, present, slopes, raw, joint)
            mix(components, weight, logits, joint, found, small)
            weigh(components, size, joint, slopes)
            weigh(components, size, joint, raw)
            if kind == FULL:
                full_gradients(components, size, value, slopes, mean, more, deviation)
            if kind == AUTOREGRESSIVE:
                predictor_gradients(components, size, order, rows, slopes, read, mean, more)
        log_prob[first:last] = found[: last - first]
        product(w, 0, 1, row, row, projected, 0, ROWS, ROWS // LANES, parameters, zeros, 0, 0, 0, grad, 0, ROWS)
        for r in range(last - first):
            for j in range(width):
                grad_hidden[first + r, j] = grad[j * ROWS + r]
        product(
            projected, 0, ROWS, 1, parameters, lengthwise, 0, row, row // LANES, ROWS,
            grad_w, 0, row, LANES, grad_w, 0, row,
        )  # fmt: skip


@compiled
def _load_hidden(
    hidden: Array, strides: tuple[int, int, int], first: int, last: int, width: int, across: Array, lengthwise: Array
) -> None:
    """Write hidden vectors and a 1 behind each: a vector a column of ``across``, and a row of ``lengthwise``."""
    steps, of_sequence, of_step = strides
    zero, one = across.dtype.type(0), across.dtype.type(1)
    row = len(lengthwise) // ROWS
    lengthwise[:] = zero
    for r in range(last - first):
        at = (first + r) // steps * of_sequence + (first + r) % steps * of_step
        lengthwise[r * row : r * row + width] = hidden[at : at + width]
        lengthwise[r * row + width] = one
    for j in range(width + 1):
        column = across[j * ROWS : (j + 1) * ROWS]
        for r in range(ROWS):
            column[r] = lengthwise[r * row + j]


@compiled
def _load_mask(
    mask: Array, first: int, last: int, factor: float, size: int, present: Array, weight: Array
) -> None:
    """Write a mask as numbers (D) of a block, and the factor of each row: 0 where nothing is present."""
    zero, one = present.dtype.type(0), present.dtype.type(1)
    weight[:] = zero
    if len(mask) == 0:
        present[:] = one
        weight[: last - first] = factor
        return
    present[:] = zero
    for n in range(size):
        for r in range(last - first):
            if mask[first + r, n]:
                present[n * ROWS + r] = one
                weight[r] = factor


@compiled
def add_parts(parts: Array, count: int, row: int, width: int, grad_weight: Array, grad_bias: Array) -> None:
    """Sum the gradients of weights and biases over ``count`` parts, in their order."""
    size = len(parts) // count
    for p in range(len(grad_bias)):
        at = p * row
        for j in range(width):
            grad_weight[p, j] = parts[at + j]
        grad_bias[p] = parts[at + width]
        for part in range(1, count):
            begin = part * size + at
            for j in range(width):
                grad_weight[p, j] += parts[begin + j]
            grad_bias[p] += parts[begin + width]
