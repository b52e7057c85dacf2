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
    row = padded(hidden + 1)
    of_mixture = components * (size + 1) + max(order + size + size * basis_rows(order), size) + BOUNDS * size + 4
    return ROWS * (3 + row + hidden + 1 + parameters + 2 * size + max(of_mixture, row))


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
    vectors, at = room[: 3 * ROWS], 3 * ROWS
    copies, at = room[at : at + (row + width + 1) * ROWS], at + (row + width + 1) * ROWS
    projected, at = room[at : at + parameters * ROWS], at + parameters * ROWS
    outputs, at = room[at : at + 2 * size * ROWS], at + 2 * size * ROWS
    more = room[at:]
    fill(vectors, 0.0, ROWS)
    fill(grad_w, 0.0, grad_w.size)
    for first in range(begin, end, ROWS):
        last = min(first + ROWS, end)
        _project(hidden, strides, targets, mask, factor, w, size, width, first, last, vectors, copies, projected, outputs)
        if mixture is None:
            notes(size, vectors, outputs, projected)
        else:
            mixture_gradients(
                components, size, order, first, last, mixture, lower, predictor, bounds,
                vectors, outputs, projected, more,
            )  # fmt: skip
        copy(vectors[2 * ROWS :], log_prob[first:], last - first)
        _add_gradients(w, size, width, first, last, projected, vectors, copies, more, grad_hidden, grad_w)


@compiled
def _project(
    hidden: Array,
    strides: tuple[int, int, int],
    targets: Array,
    mask: Array,
    factor: float,
    w: Array,
    size: int,
    width: int,
    first: int,
    last: int,
    vectors: Array,
    copies: Array,
    projected: Array,
    outputs: Array,
) -> None:
    """Write a block's parameters to ``projected``, and its targets with their mask to ``outputs`` (2, D).

    ``copies`` receives the hidden vectors as rows, and as columns; ``vectors`` are zeros, the factor of each
    row's gradient, and the log-likelihoods.
    """
    row = padded(width + 1)
    lengthwise, across = copies[: row * ROWS], copies[row * ROWS :]
    load_hidden(hidden, strides, first, last, width, across, lengthwise)
    product(
        w, 0, row, 1, w.size // row, across, 0, ROWS, ROWS // LANES, width + 1,
        vectors, 0, 0, 0, projected, 0, ROWS,
    )  # fmt: skip
    load_columns(targets, first, last, outputs, size)
    load_mask(mask, first, last, factor, size, outputs[size * ROWS :], vectors[ROWS:])


@compiled
def _add_gradients(
    w: Array,
    size: int,
    width: int,
    first: int,
    last: int,
    projected: Array,
    vectors: Array,
    copies: Array,
    room: Array,
    grad_hidden: Array,
    grad_w: Array,
) -> None:
    """Compute the gradient of a block's hidden vectors, and add that of the weights."""
    row = padded(width + 1)
    parameters = w.size // row
    product(
        w, 0, 1, row, row, projected, 0, ROWS, ROWS // LANES, parameters,
        vectors, 0, 0, 0, room, 0, ROWS,
    )  # fmt: skip
    store_rows(room, first, last, width, grad_hidden)
    product(
        projected, 0, ROWS, 1, parameters, copies, 0, row, row // LANES, ROWS,
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
