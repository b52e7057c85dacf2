"""Training of a head on some rows, compiled: projection, likelihood, and the gradients of both."""

from models.compiled.simd import compiled
from models.fused.products import copy, padded
from models.fused.tiles import LANES
from models.fused_heads.blocks import ROWS, Array, fill, load_columns, load_hidden, load_mask, product, store_rows
from models.fused_heads.covariances import basis_rows
from models.fused_heads.interval import BOUNDS
from models.fused_heads.mixture import mixture_gradients
from models.fused_heads.notes import notes

Shape = tuple[int, int, int, int]
"""K, D, the order of predictors, and H."""


def room_of(shape: Shape, parameters: int) -> int:
    """Return how many numbers of room `train_rows` needs, for a head with P parameters."""
    components, size, order, hidden = shape
    mixture = components * (size + 1) + (order + size) + size * basis_rows(order) + BOUNDS * size
    return ROWS * (parameters + 3 + 2 * padded(hidden + 1) + hidden + 2 + mixture + 2 * size + size + 6)


@compiled
def train_rows(
    shape: Shape,
    hidden: Array,
    strides: tuple[int, int, int],
    targets: Array,
    mask: Array,
    mixture: float | None,
    lower: int | None,
    predictor: tuple[Array, Array] | None,
    bounds: tuple[Array, Array] | None,
    w: Array,
    factor: float,
    log_prob: Array,
    grad_hidden: Array,
    grad_w: Array,
    room: Array,
    begin: int,
    end: int,
) -> None:
    """Compute the log-likelihoods of rows ``begin`` to ``end`` and all gradients of their weighted sum.

    Where an argument is None, what it is for is not compiled.

    Args:
        shape: see `Shape`.
        hidden: flat, holds the hidden vectors.
        strides: T, and the distances in ``hidden`` between sequences and between steps.
        targets: (N, D).
        mask: (N, D), 0 where an output is left out, or (0, D) if none is.
        mixture: floor of the scales of a mixture; None for notes.
        lower: not None for full covariances.
        predictor: of autoregressive heads: values before each row (N, order), and the basis with the
            predictor behind it (basis_rows, order), flat.
        bounds: of intervals, (N, D) each in double precision; None for densities.
        w: weights and biases (P rounded up to 4, padded(H + 1)), flat.
        factor: of all gradients.
        log_prob: (N), receives log-likelihoods.
        grad_hidden: (N, H), receives the gradient of the hidden vectors.
        grad_w: as ``w``, receives its gradient, summed over these rows.
        room: room for work, of `room_of` numbers.
    """
    components, size, order, width = shape
    row = padded(width + 1)
    parameters = w.size // row
    zeros, at = room[:ROWS], ROWS
    weight, at = room[at : at + ROWS], at + ROWS
    found, at = room[at : at + ROWS], at + ROWS
    small, at = room[at : at + 4 * ROWS], at + 4 * ROWS
    across, at = room[at : at + (width + 1) * ROWS], at + (width + 1) * ROWS
    lengthwise, at = room[at : at + row * ROWS], at + row * ROWS
    grad, at = room[at : at + row * ROWS], at + row * ROWS
    projected, at = room[at : at + parameters * ROWS], at + parameters * ROWS
    value, at = room[at : at + size * ROWS], at + size * ROWS
    present, at = room[at : at + size * ROWS], at + size * ROWS
    more = room[at:]
    fill(zeros, 0.0, ROWS)
    fill(grad_w, 0.0, grad_w.size)
    for first in range(begin, end, ROWS):
        last = min(first + ROWS, end)
        load_hidden(hidden, strides, first, last, width, across, lengthwise)
        product(
            w, 0, row, 1, parameters, across, 0, ROWS, ROWS // LANES, width + 1,
            zeros, 0, 0, 0, projected, 0, ROWS,
        )  # fmt: skip
        load_columns(targets, first, last, value, size)
        load_mask(mask, first, last, factor, size, present, weight)
        if mixture is None:
            notes(size, weight, value, present, projected, found)
        else:
            mixture_gradients(
                components, size, order, first, last, mixture, lower, predictor, bounds,
                value, present, weight, projected, zeros, small, more, found,
            )  # fmt: skip
        copy(found, log_prob[first:last], last - first)
        product(
            w, 0, 1, row, row, projected, 0, ROWS, ROWS // LANES, parameters,
            zeros, 0, 0, 0, grad, 0, ROWS,
        )  # fmt: skip
        store_rows(grad, first, last, width, grad_hidden)
        product(
            projected, 0, ROWS, 1, parameters, lengthwise, 0, row, row // LANES, ROWS,
            grad_w, 0, row, LANES, grad_w, 0, row,
        )  # fmt: skip


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
