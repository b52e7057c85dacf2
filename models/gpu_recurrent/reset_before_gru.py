"""The GRU of Chung et al. (2014) over all steps, see `models.gpu_recurrent.tiles`.

r, z = sigmoid(W x + U h' + b), g = tanh(W x + U (r h') + b), h = (1 - z) h' + z g. The reset gate acts before
the product, so a step has two products one after the other, with a barrier between them.
"""

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
            gate, keep = 3 * at[:, None] + unit[None, :], 4 * at[:, None] + unit[None, :]
            r, z, _, _ = gate_sums(
                before + at, exists, size, weights, unit, 2, width, columns, terms, precision
            )
            r = tl.sigmoid(r + tl.load(pre + gate, mask=inside, other=0.0))
            z = tl.sigmoid(z + tl.load(pre + gate + size, mask=inside, other=0.0))
            h = tl.load(before + at[:, None] + unit[None, :], mask=inside, other=0.0)
            tl.store(kept + keep, r, mask=inside)
            tl.store(kept + keep + size, z, mask=inside)
            tl.store(kept + keep + 3 * size, r * h, mask=inside)
        met = meet(arrived, group, met, parts)
        for column in range(first, size, parts * columns):
            unit = column + tl.arange(0, columns)
            inside = exists[:, None] & (unit < size)[None, :]
            place, keep = at[:, None] + unit[None, :], 4 * at[:, None] + unit[None, :]
            g, _, _, _ = gate_sums(
                kept + 4 * at + 3 * size, exists, size, weights + 2 * size * width, unit, 1,
                width, columns, terms, precision,
            )  # fmt: skip
            g = tanh(g + tl.load(pre + 3 * at[:, None] + 2 * size + unit[None, :], mask=inside, other=0.0))
            h = tl.load(before + place, mask=inside, other=0.0)
            h += tl.load(kept + keep + size, mask=inside, other=0.0) * (g - h)
            tl.store(kept + keep + 2 * size, g, mask=inside)
            tl.store(out + place, h, mask=inside)
            tl.store(before + place + size, h, mask=inside & (step + 1 < steps))
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
    half = tl.cast(batch, tl.int64) * size
    met = 0
    for back in range(steps + 1):
        at = (row + steps - 1 - back) * size
        pair, one = tl.where(back > 0, 2, 0), tl.where(back < steps, 1, 0)
        # The gradient of h, and from it those of z and g.
        for column in range(first, size, parts * columns):
            unit = column + tl.arange(0, columns)
            inside = exists[:, None] & (unit < size)[None, :]
            own = lane[:, None] * size + unit[None, :]
            place, keep = at[:, None] + unit[None, :], 4 * at[:, None] + unit[None, :]
            gate = 3 * at[:, None] + unit[None, :]
            found = sum_back(
                grads + 3 * (at + size), exists, size, weights, unit, pair, width, columns, terms, precision
            )
            found += tl.load(carried + half + own, mask=inside & (back > 0), other=0.0)
            if back < steps:
                found += tl.load(grad_out + place, mask=inside, other=0.0)
                z = tl.load(kept + keep + size, mask=inside, other=0.0)
                g = tl.load(kept + keep + 2 * size, mask=inside, other=0.0)
                h = tl.load(before + place, mask=inside, other=0.0)
                tl.store(grads + gate + size, found * (g - h) * z * (1.0 - z), mask=inside)
                tl.store(grads + gate + 2 * size, found * z * (1.0 - g * g), mask=inside)
                tl.store(carried + own, found * (1.0 - z), mask=inside)
            else:
                tl.store(grad_hidden + own, found, mask=inside)
        met = meet(arrived, group, met, parts)
        # The gradient of r h', and from it that of r and the rest of that of h'.
        for column in range(first, size * one, parts * columns):
            unit = column + tl.arange(0, columns)
            inside = exists[:, None] & (unit < size)[None, :]
            own = lane[:, None] * size + unit[None, :]
            keep = 4 * at[:, None] + unit[None, :]
            found = sum_back(
                grads + 3 * at + 2 * size, exists, size, weights + 2 * size * width, unit, one,
                width, columns, terms, precision,
            )  # fmt: skip
            r = tl.load(kept + keep, mask=inside, other=0.0)
            h = tl.load(before + at[:, None] + unit[None, :], mask=inside, other=0.0)
            direct = tl.load(carried + own, mask=inside, other=0.0)
            tl.store(grads + 3 * at[:, None] + unit[None, :], found * h * r * (1.0 - r), mask=inside)
            tl.store(carried + half + own, direct + found * r, mask=inside)
        met = meet(arrived, group, met, parts)
