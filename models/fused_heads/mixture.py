"""The log-likelihoods of a block of mixtures, and the gradients of their parameters."""

from models.compiled.simd import compiled
from models.fused_heads.blocks import ROWS, Array, fill
from models.fused_heads.covariances import (
    basis_rows,
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


@compiled
def mixture_gradients(
    components: int,
    size: int,
    order: int,
    first: int,
    last: int,
    floor: float,
    lower: int | None,
    predictor: tuple[Array, Array] | None,
    bounds: tuple[Array, Array] | None,
    vectors: Array,
    outputs: Array,
    parameters: Array,
    room: Array,
) -> None:
    """Compute the log-likelihoods of a block, and replace the parameters by the gradients of their sum.

    Args:
        components, size, order, first, last, floor, lower, predictor, bounds: see `Form` of
            `models.fused_heads.part`; the rows are ``first`` to ``last``.
        vectors: zeros, the factor of each row's gradient, and room for the log-likelihoods.
        outputs: (2, D), targets and their mask.
        parameters: (P), in the order of `models.heads`.
        room: room for work.
    """
    zeros, weight, found = vectors[:ROWS], vectors[ROWS : 2 * ROWS], vectors[2 * ROWS :]
    value, present = outputs[: size * ROWS], outputs[size * ROWS :]
    small, room = room[: 4 * ROWS], room[4 * ROWS :]
    joint, at = room[: components * ROWS], components * ROWS
    slopes, at = room[at : at + components * size * ROWS], at + components * size * ROWS
    middle = components * size if predictor is None else components
    of_raw = components + middle
    of_more = of_raw + components * size
    logits = parameters[: components * ROWS]
    mean = parameters[components * ROWS : of_raw * ROWS]
    raw = parameters[of_raw * ROWS : of_more * ROWS]
    more = parameters[of_more * ROWS :]
    fill(joint, 0.0, components * ROWS)
    if lower is not None:
        full_means(components, size, value, mean, more, slopes, room[at:])
    elif predictor is not None:
        line, at = room[at : at + (order + size) * ROWS], at + (order + size) * ROWS
        read, at = room[at : at + size * basis_rows(order) * ROWS], at + size * basis_rows(order) * ROWS
        load_line(predictor[0], value, first, last, order, size, line)
        read_line(order, size, predictor[1], basis_rows(order), line, zeros, read)
        predicted_means(components, size, order, basis_rows(order), mean, more, read, slopes)
    else:
        slopes = mean
    if bounds is not None:
        intervals = room[at : at + BOUNDS * size * ROWS]
        load_bounds(bounds[0], bounds[1], first, last, intervals, size)
        add_interval(components, size, floor, intervals, present, slopes, raw, joint, small)
    else:
        add_density(components, size, floor, value, present, slopes, raw, joint)
    mix(components, weight, logits, joint, found, small)
    weigh(components, size, joint, slopes)
    weigh(components, size, joint, raw)
    if lower is not None:
        full_gradients(components, size, value, slopes, mean, more, room[at:])
    if predictor is not None:
        predictor_gradients(components, size, order, basis_rows(order), slopes, read, mean, more)
