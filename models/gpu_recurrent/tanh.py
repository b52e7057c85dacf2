"""h = tanh(W x + U h' + b) over all steps, see `models.gpu_recurrent.tiles`."""

import triton
import triton.language as tl

from models.gpu_recurrent.tiles import gate_sums, meet, put_first, sum_back, tanh


@triton.jit(do_not_specialize=["batch", "steps"])  # type: ignore[untyped-decorator]
def forward(  # type: ignore[no-untyped-def]
    pre, weights, second_bias, peephole, hidden, cell, out, before, kept, cells, arrived,
    batch, steps, size,
    width: tl.constexpr, lanes: tl.constexpr, columns: tl.constexpr, terms: tl.constexpr,
    precision: tl.constexpr, parts: tl.constexpr,
):  # fmt: skip
    """Compute the hidden states of some sequences; see `models.gpu_recurrent.cells.KernelCell`."""
    lane = tl.program_id(0) * lanes + tl.arange(0, lanes)
    exists, first, group = lane < batch, tl.program_id(1) * columns, tl.program_id(0)
    row = lane.to(tl.int64) * steps
    put_first(hidden, before + row * size, lane, exists, size, first, columns, parts)
    met = meet(arrived, group, 0, parts)
    for step in range(steps):
        at = (row + step) * size
        for column in range(first, size, parts * columns):
            unit = column + tl.arange(0, columns)
            inside = exists[:, None] & (unit < size)[None, :]
            place = at[:, None] + unit[None, :]
            found, _, _, _ = gate_sums(
                before + at, exists, size, weights, unit, 1, width, columns, terms, precision
            )
            found += tl.load(pre + place, mask=inside, other=0.0)
            if second_bias is not None:
                found += tl.load(second_bias + unit, mask=unit < size, other=0.0)[None, :]
            found = tanh(found)
            tl.store(out + place, found, mask=inside)
            tl.store(before + place + size, found, mask=inside & (step + 1 < steps))
        met = meet(arrived, group, met, parts)


@triton.jit(do_not_specialize=["batch", "steps"])  # type: ignore[untyped-decorator]
def backward(  # type: ignore[no-untyped-def]
    grad_out, grad_cell, weights, peephole, out, before, kept, cells, grads, carried, grad_hidden, arrived,
    batch, steps, size,
    width: tl.constexpr, lanes: tl.constexpr, columns: tl.constexpr, terms: tl.constexpr,
    precision: tl.constexpr, parts: tl.constexpr,
):  # fmt: skip
    """Compute the gradients of the sums of some sequences; see `models.gpu_recurrent.cells.KernelCell`."""
    lane = tl.program_id(0) * lanes + tl.arange(0, lanes)
    exists, first, group = lane < batch, tl.program_id(1) * columns, tl.program_id(0)
    row = lane.to(tl.int64) * steps
    met = 0
    for back in range(steps + 1):
        at = (row + steps - 1 - back) * size
        gates = tl.where(back > 0, 1, 0)
        for column in range(first, size, parts * columns):
            unit = column + tl.arange(0, columns)
            inside = exists[:, None] & (unit < size)[None, :]
            place = at[:, None] + unit[None, :]
            found = sum_back(
                grads + at + size, exists, size, weights, unit, gates, width, columns, terms, precision
            )
            if back < steps:
                found += tl.load(grad_out + place, mask=inside, other=0.0)
                value = tl.load(out + place, mask=inside, other=0.0)
                tl.store(grads + place, found * (1.0 - value * value), mask=inside)
            else:
                tl.store(grad_hidden + lane[:, None] * size + unit[None, :], found, mask=inside)
        met = meet(arrived, group, met, parts)
