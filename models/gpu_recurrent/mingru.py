"""The minGRU of Feng et al. (2024) over all steps: h = (1 - z) h' + z g, where z and g do not read h'.

Units do not read each other, so a program owns some units of some sequences, and keeps them in registers.
"""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["batch", "steps"])  # type: ignore[untyped-decorator]
def forward(  # type: ignore[no-untyped-def]
    pre, weights, second_bias, peephole, hidden, cell, out, before, kept, cells, arrived,
    batch, steps, size,
    width: tl.constexpr, lanes: tl.constexpr, columns: tl.constexpr, terms: tl.constexpr,
    precision: tl.constexpr, parts: tl.constexpr,
):  # fmt: skip
    """Compute the hidden states of some sequences; see `models.gpu_recurrent.cells.KernelCell`."""
    lane = tl.program_id(0) * lanes + tl.arange(0, lanes)
    unit = tl.program_id(1) * columns + tl.arange(0, columns)
    inside = (lane < batch)[:, None] & (unit < size)[None, :]
    row = lane.to(tl.int64) * steps
    h = tl.load(hidden + lane[:, None] * size + unit[None, :], mask=inside, other=0.0)
    for step in range(steps):
        at = ((row + step) * size)[:, None]
        place, gate = at + unit[None, :], 2 * at + unit[None, :]
        z = tl.sigmoid(tl.load(pre + gate, mask=inside, other=0.0))
        g = tl.load(pre + gate + size, mask=inside, other=0.0)
        tl.store(before + place, h, mask=inside)
        tl.store(kept + gate, z, mask=inside)
        tl.store(kept + gate + size, g, mask=inside)
        h += z * (g - h)
        tl.store(out + place, h, mask=inside)


@triton.jit(do_not_specialize=["batch", "steps"])  # type: ignore[untyped-decorator]
def backward(  # type: ignore[no-untyped-def]
    grad_out, grad_cell, weights, peephole, out, before, kept, cells, grads, carried, grad_hidden, arrived,
    batch, steps, size,
    width: tl.constexpr, lanes: tl.constexpr, columns: tl.constexpr, terms: tl.constexpr,
    precision: tl.constexpr, parts: tl.constexpr,
):  # fmt: skip
    """Compute the gradients of the sums of some sequences; see `models.gpu_recurrent.cells.KernelCell`."""
    lane = tl.program_id(0) * lanes + tl.arange(0, lanes)
    unit = tl.program_id(1) * columns + tl.arange(0, columns)
    inside = (lane < batch)[:, None] & (unit < size)[None, :]
    row = lane.to(tl.int64) * steps
    grad = tl.zeros((lanes, columns), tl.float32)
    for back in range(steps):
        at = ((row + steps - 1 - back) * size)[:, None]
        place, gate = at + unit[None, :], 2 * at + unit[None, :]
        grad += tl.load(grad_out + place, mask=inside, other=0.0)
        z = tl.load(kept + gate, mask=inside, other=0.0)
        g = tl.load(kept + gate + size, mask=inside, other=0.0)
        h = tl.load(before + place, mask=inside, other=0.0)
        tl.store(grads + gate, grad * (g - h) * z * (1.0 - z), mask=inside)
        tl.store(grads + gate + size, grad * z, mask=inside)
        grad *= 1.0 - z
    tl.store(grad_hidden + lane[:, None] * size + unit[None, :], grad, mask=inside)
