"""Means of outputs given those before them, in a block, and the gradients of what they are made of.

See `models.distributions.correlated_mixtures`.
"""

from models.compiled.simd import compiled, inlined
from models.fused.products import copy
from models.fused.tiles import LANES, product
from models.fused_heads.blocks import ROWS, Array, fill, load_columns


@inlined
def basis_rows(order: int) -> int:
    """Return the rows of a basis and its predictor, a multiple of four."""
    return (order + 4) // 4 * 4


@compiled
def full_means(
    components: int, size: int, value: Array, mean: Array, lower: Array, conditional: Array, room: Array
) -> None:
    """Write the conditional means (K, D) of components with means (K, D) and C (K, D (D - 1) / 2).

    ``value`` (D) are the outputs; ``room`` (D) is room for work.
    """
    pairs = size * (size - 1) // 2
    for k in range(components):
        at = k * pairs * ROWS
        for n in range(size):
            place = (k * size + n) * ROWS
            found, own = conditional[place : place + ROWS], mean[place : place + ROWS]
            y, deviation = value[n * ROWS : (n + 1) * ROWS], room[n * ROWS : (n + 1) * ROWS]
            for r in range(ROWS):
                deviation[r] = y[r] - own[r]
                found[r] = own[r]
            for m in range(n):
                c, before = lower[at : at + ROWS], room[m * ROWS : (m + 1) * ROWS]
                for r in range(ROWS):
                    found[r] += c[r] * before[r]
                at += ROWS


@compiled
def full_gradients(
    components: int, size: int, value: Array, slopes: Array, mean: Array, lower: Array, room: Array
) -> None:
    """Replace means and C by their gradients, given those of the conditional means: ``slopes`` (K, D)."""
    pairs = size * (size - 1) // 2
    for k in range(components):
        at, first = k * pairs * ROWS, k * size * ROWS
        for n in range(size):
            place = first + n * ROWS
            y, own, slope = (
                value[n * ROWS : (n + 1) * ROWS],
                mean[place : place + ROWS],
                slopes[place : place + ROWS],
            )
            deviation = room[n * ROWS : (n + 1) * ROWS]
            for r in range(ROWS):
                deviation[r] = y[r] - own[r]
                own[r] = slope[r]
            for m in range(n):
                c, before = lower[at : at + ROWS], room[m * ROWS : (m + 1) * ROWS]
                earlier = mean[first + m * ROWS : first + (m + 1) * ROWS]
                for r in range(ROWS):
                    earlier[r] -= slope[r] * c[r]
                    c[r] = slope[r] * before[r]
                at += ROWS


@compiled
def load_line(
    history: Array, value: Array, first: int, last: int, order: int, size: int, line: Array
) -> None:
    """Write the P values before each row's outputs, from ``history`` (N, P), and its outputs to (P + D)."""
    load_columns(history, first, last, line, order)
    copy(value, line[order * ROWS :], size * ROWS)


@compiled
def read_line(order: int, size: int, basis: Array, rows: int, line: Array, zeros: Array, read: Array) -> None:
    """Write what the predictor's errors are at each output, (D, rows), and behind them its prediction.

    ``basis`` (rows, P) are weights of the P values before an output, that of the latest value first.
    """
    for n in range(size):
        product(
            basis, 0, order, 1, rows, line, (order + n - 1) * ROWS, -ROWS, LANES, ROWS // LANES,
            zeros, 0, 0, 0, read, n * rows * ROWS, ROWS, order,
        )  # fmt: skip


@compiled
def predicted_means(
    components: int, size: int, order: int, rows: int, offset: Array, change: Array, read: Array, mean: Array
) -> None:
    """Write the means (K, D) that predictors with offsets (K) and changes (K, P) give; see `read_line`."""
    for k in range(components):
        own = offset[k * ROWS : (k + 1) * ROWS]
        for n in range(size):
            place = (n * rows + order) * ROWS
            found, start = mean[(k * size + n) * ROWS : (k * size + n + 1) * ROWS], read[place : place + ROWS]
            for r in range(ROWS):
                found[r] = own[r] + start[r]
            for j in range(order):
                weight, error = change[(k * order + j) * ROWS :], read[(n * rows + j) * ROWS :]
                for r in range(ROWS):
                    found[r] += weight[r] * error[r]


@compiled
def predictor_gradients(
    components: int,
    size: int,
    order: int,
    rows: int,
    slopes: Array,
    read: Array,
    offset: Array,
    change: Array,
) -> None:
    """Replace offsets and changes by their gradients, given those of the means: ``slopes`` (K, D)."""
    fill(offset, 0.0, components * ROWS)
    fill(change, 0.0, components * order * ROWS)
    for k in range(components):
        own = offset[k * ROWS : (k + 1) * ROWS]
        for n in range(size):
            slope = slopes[(k * size + n) * ROWS : (k * size + n + 1) * ROWS]
            for r in range(ROWS):
                own[r] += slope[r]
            for j in range(order):
                weight, error = change[(k * order + j) * ROWS :], read[(n * rows + j) * ROWS :]
                for r in range(ROWS):
                    weight[r] += slope[r] * error[r]
