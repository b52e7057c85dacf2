"""The GRU of PyTorch's kernels over all steps, see `models.gpu_recurrent.tiles`.

r, z = sigmoid(W x + U h' + b), q = U h' + b, n = tanh(W x + b + r q), h = (1 - z) n + z h'.
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
            is_unit = unit < size
            inside = exists[:, None] & is_unit[None, :]
            place, gate = at[:, None] + unit[None, :], 3 * at[:, None] + unit[None, :]
            r, z, q, _ = gate_sums(
                before + at, exists, size, weights, unit, 3, width, columns, terms, precision
            )
            if second_bias is not None:
                r += tl.load(second_bias + unit, mask=is_unit, other=0.0)[None, :]
                z += tl.load(second_bias + size + unit, mask=is_unit, other=0.0)[None, :]
                q += tl.load(second_bias + 2 * size + unit, mask=is_unit, other=0.0)[None, :]
            r = tl.sigmoid(r + tl.load(pre + gate, mask=inside, other=0.0))
            z = tl.sigmoid(z + tl.load(pre + gate + size, mask=inside, other=0.0))
            n = tanh(r * q + tl.load(pre + gate + 2 * size, mask=inside, other=0.0))
            found = n + z * (tl.load(before + place, mask=inside, other=0.0) - n)
            tl.store(out + place, found, mask=inside)
            tl.store(before + place + size, found, mask=inside & (step + 1 < steps))
            keep = kept + 4 * at[:, None] + unit[None, :]
            tl.store(keep, r, mask=inside)
            tl.store(keep + size, z, mask=inside)
            tl.store(keep + 2 * size, q, mask=inside)
            tl.store(keep + 3 * size, n, mask=inside)
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
        gates = tl.where(back > 0, 3, 0)
        for column in range(first, size, parts * columns):
            unit = column + tl.arange(0, columns)
            inside = exists[:, None] & (unit < size)[None, :]
            own = lane[:, None] * size + unit[None, :]
            place, keep = at[:, None] + unit[None, :], 4 * at[:, None] + unit[None, :]
            found = sum_back(
                grads + 4 * (at + size), exists, size, weights, unit, gates,
                width, columns, terms, precision,
            )  # fmt: skip
            found += tl.load(carried + (back + 1) % 2 * half + own, mask=inside & (back > 0), other=0.0)
            if back < steps:
                found += tl.load(grad_out + place, mask=inside, other=0.0)
                r = tl.load(kept + keep, mask=inside, other=0.0)
                z = tl.load(kept + keep + size, mask=inside, other=0.0)
                q = tl.load(kept + keep + 2 * size, mask=inside, other=0.0)
                n = tl.load(kept + keep + 3 * size, mask=inside, other=0.0)
                h = tl.load(before + place, mask=inside, other=0.0)
                of_n = found * (1.0 - z) * (1.0 - n * n)
                tl.store(grads + keep, of_n * q * r * (1.0 - r), mask=inside)
                tl.store(grads + keep + size, found * (h - n) * z * (1.0 - z), mask=inside)
                tl.store(grads + keep + 2 * size, of_n * r, mask=inside)
                tl.store(grads + keep + 3 * size, of_n, mask=inside)
                tl.store(carried + back % 2 * half + own, found * z, mask=inside)
            else:
                tl.store(grad_hidden + own, found, mask=inside)
        met = meet(arrived, group, met, parts)
