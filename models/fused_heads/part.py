"""Training of a head on some rows, block by block: projection, likelihood, and the gradients of both."""

from typing import Any, NamedTuple

from models.compiled.simd import compiled
from models.fused.products import copy, padded
from models.fused.tiles import LANES, product
from models.fused_heads.blocks import ROWS, Array, load_columns, load_hidden, load_mask
from models.fused_heads.covariances import basis_rows
from models.fused_heads.interval import BOUNDS
from models.fused_heads.mixture import mixture_gradients
from models.fused_heads.notes import notes

Shape = tuple[int, int, int, int]
"""K, D, the order of predictors, and H."""


class Form(NamedTuple):
    """What a head is; what is None is not compiled.

    Attributes:
        floor: floor of the scales of a mixture; None for notes.
        lower: not None for full covariances.
        predictor: of autoregressive heads: values before each row (N, order), and the basis with the
            predictor behind it (basis_rows, order), flat.
        bounds: of intervals, (N, D) each in double precision; None for densities.
    """

    floor: Any
    lower: int | None
    predictor: tuple[Array, Array] | None
    bounds: tuple[Array, Array] | None


class Data(NamedTuple):
    """What the rows of a head's training are read from and written to.

    Attributes:
        hidden: flat, holds the hidden vectors.
        strides: T, and the distances in ``hidden`` between sequences and between steps.
        targets: (N, D).
        mask: (N, D), 0 where an output is left out, or (0, D) if none is.
        w: weights and biases (P rounded up to 4, padded(H + 1)), flat.
        w_columns: the same in panels (padded(H + 1) / LANES, P rounded up, LANES), flat.
        log_prob: (N), receives log-likelihoods.
        grad_hidden: (N, H), receives the gradient of the hidden vectors.
    """

    hidden: Array
    strides: tuple[int, int, int]
    targets: Array
    mask: Array
    w: Array
    w_columns: Array
    log_prob: Array
    grad_hidden: Array


def room_of(shape: Shape, parameters: int) -> int:
    """Return how many numbers of room `train_rows` needs, for a head with P parameters."""
    components, size, order, hidden = shape
    row = padded(hidden + 1)
    of_mixture = (
        components * (size + 1) + max(order + size + size * basis_rows(order), size) + BOUNDS * size + 4
    )
    return ROWS * (3 + row + hidden + 1 + parameters + 2 * size + max(of_mixture, row))


def train_rows(
    head: Shape, form: Form, data: Data, factor: float, room: Array, rows: tuple[int, int], grad_w: Array
) -> None:
    """Compute the log-likelihoods of some rows and all gradients of their weighted sum.

    It calls compiled functions for each block. One compiled function around them would compile all of them
    once more for each form.

    Args:
        head: see `Shape`.
        form: what the head is; see `Form`.
        data: what is read and written; see `Data`.
        factor: of all gradients.
        room: room for work, of `room_of` numbers.
        rows: the first row, and the one after the last.
        grad_w: as the weights, receives their gradient, summed over these rows.
    """
    components, size, order, width = head
    row = padded(width + 1)
    parameters = data.w.size // row
    of_copies, of_projected = 3 * ROWS, (3 + row + width + 1) * ROWS
    of_outputs = of_projected + parameters * ROWS
    of_more = of_outputs + 2 * size * ROWS
    vectors, copies, projected = room[:of_copies], room[of_copies:of_projected], room[of_projected:of_outputs]
    outputs, more = room[of_outputs:of_more], room[of_more:]
    vectors[:ROWS] = 0
    grad_w.fill(0)
    for first in range(*rows, ROWS):
        last = min(first + ROWS, rows[1])
        project(
            data.hidden, data.strides, data.targets, data.mask, factor, data.w, size, width, first, last,
            vectors, copies, projected, outputs,
        )  # fmt: skip
        if form.floor is None:
            notes(size, vectors, outputs, projected)
        else:
            mixture_gradients(components, size, order, first, last, *form, vectors, outputs, projected, more)
        add_gradients(
            data.w_columns, width, first, last, projected, vectors, copies, more,
            data.log_prob, data.grad_hidden, grad_w,
        )  # fmt: skip


@compiled
def project(
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

    ``copies`` receives the hidden vectors as rows, and in panels; ``vectors`` are zeros, the factor of each
    row's gradient, and the log-likelihoods.
    """
    row = padded(width + 1)
    rows, panels = copies[: row * ROWS], copies[row * ROWS :]
    load_hidden(hidden, strides, first, last, width, panels, rows)
    product(
        w, 0, row, 1, w.size // row, panels, 0, LANES, (width + 1) * LANES, ROWS // LANES,
        vectors, 0, 0, 0, projected, 0, ROWS, width + 1,
    )  # fmt: skip
    load_columns(targets, first, last, outputs, size)
    load_mask(mask, first, last, factor, size, outputs[size * ROWS :], vectors[ROWS:])


@compiled
def add_gradients(
    w_columns: Array,
    width: int,
    first: int,
    last: int,
    projected: Array,
    vectors: Array,
    copies: Array,
    room: Array,
    log_prob: Array,
    grad_hidden: Array,
    grad_w: Array,
) -> None:
    """Store a block's log-likelihoods and the gradient of its hidden vectors, and add that of the weights."""
    row = padded(width + 1)
    copy(vectors[2 * ROWS :], log_prob[first:], last - first)
    parameters = w_columns.size // row
    product(
        projected, 0, 1, ROWS, ROWS, w_columns, 0, LANES, parameters * LANES, row // LANES,
        vectors, 0, 0, 0, room, 0, row, parameters,
    )  # fmt: skip
    for r in range(last - first):
        copy(room[r * row :], grad_hidden[first + r], width)
    product(
        projected, 0, ROWS, 1, parameters, copies, 0, row, LANES, row // LANES,
        grad_w, 0, row, LANES, grad_w, 0, row, ROWS,
    )  # fmt: skip


@compiled
def add_parts(
    parts: Array, count: int, row: int, width: int, grad_weight: Array, grad_bias: Array, begin: int, end: int
) -> None:
    """Sum the gradients of the weights and biases of some outputs over ``count`` parts, in their order."""
    size = len(parts) // count
    for p in range(begin, end):
        at = p * row
        for j in range(width):
            grad_weight[p, j] = parts[at + j]
        grad_bias[p] = parts[at + width]
        for part in range(1, count):
            first = part * size + at
            for j in range(width):
                grad_weight[p, j] += parts[first + j]
            grad_bias[p] += parts[first + width]
