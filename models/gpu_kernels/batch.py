"""One kernel for the batch of an update and the states before it, see `pipeline.training.gpu.batch`."""

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 512
"""Values of a program."""


@triton.jit  # type: ignore[untyped-decorator]
def gather_batch(  # type: ignore[no-untyped-def]
    row, found_inf, chunks, numbers, rows, mean, std, distances, lane_of_state,
    state, inputs, targets, stored, mask, lower, upper, keep, recording, sizes,
    state_size, last_row, lanes, length, blocks, unit,
    window: tl.constexpr, hop: tl.constexpr, width: tl.constexpr,
    exact: tl.constexpr, lowest: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Gather some values of a lane, or in the programs behind those of all lanes, reset some of the states.

    Args:
        row, found_inf, chunks, numbers: of the register and the tables of `pipeline.training.gpu`.
        rows: (R, width) as stored.
        mean, std: (width,), normalisation.
        distances: (recordings + 1,), distance of two values of each recording, the first for an empty lane;
            read if ``exact``.
        lane_of_state: (state_size,), the lane of each number of ``state``.
        state: (state_size,), is changed: 0 where it is not kept.
        inputs, targets, stored, mask, lower, upper, keep, recording: are written, see
            `pipeline.data.batching.Batch`.
        sizes: (2,), is written: the number of steps, and of values.
        state_size: see ``state``.
        last_row: R - 1.
        lanes, length: B and T.
        blocks: programs of a lane.
        unit: value of a stored 1.
        window, hop, width: division of rows into steps.
        exact: whether bounds are written.
        lowest: smallest sample.
        block: values of a program.
    """
    number, program = tl.load(row), tl.program_id(0)
    if program < lanes * blocks:
        lane, place = program // blocks, (program % blocks) * block + tl.arange(0, block)
        chunk = chunks + (number * lanes + lane) * 6
        if program % blocks == 0:
            steps = tl.load(numbers + 2 * number + 1)
            tl.store(sizes, steps)
            tl.store(sizes + 1, steps * (hop * width))
            tl.store(recording + lane, tl.load(chunk))
            tl.store(keep + lane, (tl.load(chunk + 5) > 0) & (tl.load(found_inf) == 0.0))

        size, column = length * window * width, place % width
        position = place // (window * width) * hop + place % (window * width) // width
        value = _stored(rows, chunk, position, column, last_row, width, place < size)
        value = _normalised(value, mean, std, column, unit, _exists(chunk, position))
        tl.store(inputs + lane.to(tl.int64) * size + place, value, mask=place < size)

        _gather_targets(
            rows, chunk, mean, std, distances, targets, stored, mask, lower, upper,
            lane, place, length * hop * width, last_row, unit, window, width, exact, lowest,
        )  # fmt: skip
    else:
        number_of_state = (program - lanes * blocks) * block + tl.arange(0, block)
        within = number_of_state < state_size
        own_lane = tl.load(lane_of_state + number_of_state, mask=within, other=0)
        kept = tl.load(chunks + (number * lanes + own_lane) * 6 + 5, mask=within, other=0).to(tl.float32)
        fresh = kept * (1.0 - tl.load(found_inf)) == 0.0
        tl.store(state + number_of_state, 0.0, mask=within & fresh)


@triton.jit  # type: ignore[untyped-decorator]
def _gather_targets(  # type: ignore[no-untyped-def]
    rows, chunk, mean, std, distances, targets, stored, mask, lower, upper,
    lane, place, size, last_row, unit, window: tl.constexpr, width: tl.constexpr,
    exact: tl.constexpr, lowest: tl.constexpr,
):  # fmt: skip
    """Gather some of the targets of a lane, and all that comes with them."""
    inside, target = place < size, lane.to(tl.int64) * size + place
    position, column = window + place // width, place % width
    value = _stored(rows, chunk, position, column, last_row, width, inside)
    exists = _exists(chunk, position)
    tl.store(stored + target, value, mask=inside)
    tl.store(mask + target, exists & (position >= tl.load(chunk + 4)), mask=inside)
    tl.store(targets + target, _normalised(value, mean, std, column, unit, exists), mask=inside)
    if exact:
        distance = tl.load(distances + tl.load(chunk) + 1).to(tl.float64)
        sample, infinity = value.to(tl.float64), float("inf")
        below = _bound(sample - 0.5 * distance, mean, std, column, unit)
        above = _bound(sample + 0.5 * distance, mean, std, column, unit)
        tl.store(lower + target, tl.where(sample <= lowest, -infinity, below), mask=inside)
        tl.store(upper + target, tl.where(sample >= -lowest - distance, infinity, above), mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _bound(steps, mean, std, column, unit):  # type: ignore[no-untyped-def]
    """Return bounds in quantisation steps as normalised values, in double precision."""
    centred = steps * unit - tl.load(mean + column).to(tl.float64)
    return centred / tl.load(std + column).to(tl.float64)


@triton.jit  # type: ignore[untyped-decorator]
def _exists(chunk, position):  # type: ignore[no-untyped-def]
    return (position >= tl.load(chunk + 2)) & (position < tl.load(chunk + 3))


@triton.jit  # type: ignore[untyped-decorator]
def _stored(rows, chunk, position, column, last_row, width: tl.constexpr, inside):  # type: ignore[no-untyped-def]
    """Return stored values at positions, where the first and the last row stand for those beyond."""
    row = tl.minimum(tl.maximum(tl.load(chunk + 1) + position, 0), last_row)
    return tl.load(rows + row * width + column, mask=inside, other=0)


@triton.jit  # type: ignore[untyped-decorator]
def _normalised(value, mean, std, column, unit, exists):  # type: ignore[no-untyped-def]
    value = (value.to(tl.float32) * unit - tl.load(mean + column)) / tl.load(std + column)
    return tl.where(exists, value, 0.0)


def gather(
    register: tuple[Tensor, Tensor],
    tables: tuple[Tensor, Tensor],
    rows: Tensor,
    moments: tuple[Tensor, Tensor],
    distances: Tensor | None,
    states: tuple[Tensor, Tensor],
    batch: list[Tensor],
    unit: float,
    framing: list[int],
    lowest: int,
) -> None:
    """Write a batch, and reset the states of lanes that start anew; the arguments are those of the kernel."""
    window, hop, width = framing
    inputs, state = batch[0], states[1]
    lanes, length = inputs.shape[:2]
    blocks = triton.cdiv(length * max(window, hop) * width, BLOCK)
    programs = lanes * blocks + triton.cdiv(len(state), BLOCK)
    gather_batch[(programs,)](
        *register, *tables, rows, *moments, state if distances is None else distances, *states, *batch,
        len(state), len(rows) - 1, lanes, length, blocks, unit,
        window, hop, width, distances is not None, lowest, BLOCK,
    )  # fmt: skip
