"""The LSTM over all steps, with or without peepholes, see `models.gpu_recurrent.tiles`.

i, f, o = sigmoid(W x + U h' + V c + b), c = f c' + i g with g = tanh(W x + U h' + b), h = o tanh(c). V is
diagonal, or 0; i and f read the cell c' before the step, o the cell c after it.
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
    put_first(cell, cells + (row + lane) * size, lane, exists, size, first, columns, parts)
    met = meet(arrived, group, 0, parts)
    for step in range(steps):
        at = (row + step) * size
        for column in range(first, size, parts * columns):
            unit = column + tl.arange(0, columns)
            is_unit = unit < size
            inside = exists[:, None] & is_unit[None, :]
            place, gate = at[:, None] + unit[None, :], 4 * at[:, None] + unit[None, :]
            i, f, g, o = gate_sums(
                before + at, exists, size, weights, unit, 4, width, columns, terms, precision
            )
            if second_bias is not None:
                i += tl.load(second_bias + unit, mask=is_unit, other=0.0)[None, :]
                f += tl.load(second_bias + size + unit, mask=is_unit, other=0.0)[None, :]
                g += tl.load(second_bias + 2 * size + unit, mask=is_unit, other=0.0)[None, :]
                o += tl.load(second_bias + 3 * size + unit, mask=is_unit, other=0.0)[None, :]
            i += tl.load(pre + gate, mask=inside, other=0.0)
            f += tl.load(pre + gate + size, mask=inside, other=0.0)
            g += tl.load(pre + gate + 2 * size, mask=inside, other=0.0)
            o += tl.load(pre + gate + 3 * size, mask=inside, other=0.0)
            of_cell = cells + (at + lane * size)[:, None] + unit[None, :]
            c = tl.load(of_cell, mask=inside, other=0.0)
            if peephole is not None:
                i += c * tl.load(peephole + unit, mask=is_unit, other=0.0)[None, :]
                f += c * tl.load(peephole + size + unit, mask=is_unit, other=0.0)[None, :]
            i, f, g = tl.sigmoid(i), tl.sigmoid(f), tanh(g)
            c = f * c + i * g
            if peephole is not None:
                o += c * tl.load(peephole + 2 * size + unit, mask=is_unit, other=0.0)[None, :]
            o = tl.sigmoid(o)
            found = o * tanh(c)
            tl.store(of_cell + size, c, mask=inside)
            tl.store(out + place, found, mask=inside)
            tl.store(before + place + size, found, mask=inside & (step + 1 < steps))
            tl.store(kept + gate, i, mask=inside)
            tl.store(kept + gate + size, f, mask=inside)
            tl.store(kept + gate + 2 * size, g, mask=inside)
            tl.store(kept + gate + 3 * size, o, mask=inside)
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
    blocks: tl.constexpr = 4 if peephole is None else 7
    met = 0
    for back in range(steps + 1):
        at = (row + steps - 1 - back) * size
        gates = tl.where(back > 0, 4, 0)
        for column in range(first, size, parts * columns):
            unit = column + tl.arange(0, columns)
            is_unit = unit < size
            inside = exists[:, None] & is_unit[None, :]
            own = lane[:, None] * size + unit[None, :]
            place, gate = at[:, None] + unit[None, :], 4 * at[:, None] + unit[None, :]
            found = sum_back(
                grads + blocks * (at + size), exists, size, weights, unit, gates,
                width, columns, terms, precision,
            )  # fmt: skip
            if back < steps:
                found += tl.load(grad_out + place, mask=inside, other=0.0)
                i = tl.load(kept + gate, mask=inside, other=0.0)
                f = tl.load(kept + gate + size, mask=inside, other=0.0)
                g = tl.load(kept + gate + 2 * size, mask=inside, other=0.0)
                o = tl.load(kept + gate + 3 * size, mask=inside, other=0.0)
                of_cell = cells + (at + lane * size)[:, None] + unit[None, :]
                c_before = tl.load(of_cell, mask=inside, other=0.0)
                c = tanh(tl.load(of_cell + size, mask=inside, other=0.0))
                on_cell = tl.load(carried + (back + 1) % 2 * half + own, mask=inside & (back > 0), other=0.0)
                if grad_cell is not None:
                    on_cell += tl.load(grad_cell + own, mask=inside & (back == 0), other=0.0)
                of_o = found * c * o * (1.0 - o)
                on_cell += found * o * (1.0 - c * c)
                if peephole is not None:
                    on_cell += of_o * tl.load(peephole + 2 * size + unit, mask=is_unit, other=0.0)[None, :]
                of_i = on_cell * g * i * (1.0 - i)
                of_f = on_cell * c_before * f * (1.0 - f)
                on_cell_before = on_cell * f
                if peephole is not None:
                    on_cell_before += of_i * tl.load(peephole + unit, mask=is_unit, other=0.0)[None, :]
                    on_cell_before += of_f * tl.load(peephole + size + unit, mask=is_unit, other=0.0)[None, :]
                of_gate = grads + blocks * at[:, None] + unit[None, :]
                if peephole is not None:
                    c = tl.load(of_cell + size, mask=inside, other=0.0)
                    tl.store(of_gate + 4 * size, of_i * c_before, mask=inside)
                    tl.store(of_gate + 5 * size, of_f * c_before, mask=inside)
                    tl.store(of_gate + 6 * size, of_o * c, mask=inside)
                tl.store(of_gate, of_i, mask=inside)
                tl.store(of_gate + size, of_f, mask=inside)
                tl.store(of_gate + 2 * size, on_cell * i * (1.0 - g * g), mask=inside)
                tl.store(of_gate + 3 * size, of_o, mask=inside)
                tl.store(carried + back % 2 * half + own, on_cell_before, mask=inside)
            else:
                tl.store(grad_hidden + own, found, mask=inside)
        met = meet(arrived, group, met, parts)
