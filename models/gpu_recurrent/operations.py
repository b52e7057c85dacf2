"""The kernels as operations of torch. Triton is imported at the first call."""

import torch
from torch import Tensor

from models.gpu_recurrent.cells import KERNEL_CELLS, launch

Found = tuple[Tensor, Tensor, Tensor, Tensor]


@torch.library.custom_op("wavecast::recurrent_forward", mutates_args=("arrived",))
def forward(
    kind: str,
    pre: Tensor,
    packed: Tensor | None,
    second_bias: Tensor | None,
    peephole: Tensor | None,
    hidden: Tensor,
    cell: Tensor | None,
    arrived: Tensor | None,
) -> Found:
    """Run a layer over all steps; see `models.gpu_recurrent.cells.KernelCell`.

    Returns:
        The hidden states, those before each step, what is kept, and the cells.
    """
    found: Found = _empty_results(kind, pre, packed, second_bias, peephole, hidden, cell, arrived)
    given = (pre, packed, second_bias, peephole, hidden, cell)
    launch(kind, False, packed, found[0], (*given, *found, arrived))
    return found


@forward.register_fake
def _empty_results(
    kind: str,
    pre: Tensor,
    packed: Tensor | None,
    second_bias: Tensor | None,
    peephole: Tensor | None,
    hidden: Tensor,
    cell: Tensor | None,
    arrived: Tensor | None,
) -> Found:
    form, (batch, steps, _), size = KERNEL_CELLS[kind], pre.shape, hidden.shape[1]
    out = pre.new_empty(batch, steps, size)
    kept = pre.new_empty(batch, steps, form.kept * size)
    return out, torch.empty_like(out), kept, pre.new_empty(batch, (steps + 1) * form.has_cell, size)


@torch.library.custom_op("wavecast::recurrent_backward", mutates_args=("arrived",))
def backward(
    kind: str,
    grad_out: Tensor,
    grad_cell: Tensor | None,
    packed: Tensor | None,
    peephole: Tensor | None,
    out: Tensor,
    before: Tensor,
    kept: Tensor,
    cells: Tensor,
    arrived: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Go back over all steps; see `models.gpu_recurrent.cells.KernelCell`.

    Returns:
        The gradients of the gates' sums (B, T, sums H), the memory ``carried`` (2, B, H), and the gradient of
        the hidden state before (B, H).
    """
    given = (grad_out, grad_cell, packed, peephole, out, before, kept, cells)
    found: tuple[Tensor, Tensor, Tensor] = _empty_gradients(kind, *given, arrived)
    launch(kind, True, packed, out, (*given, *found, arrived))
    return found


@backward.register_fake
def _empty_gradients(
    kind: str,
    grad_out: Tensor,
    grad_cell: Tensor | None,
    packed: Tensor | None,
    peephole: Tensor | None,
    out: Tensor,
    before: Tensor,
    kept: Tensor,
    cells: Tensor,
    arrived: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    batch, steps, size = out.shape
    blocks = KERNEL_CELLS[kind].sums + (0 if peephole is None else 3)
    grads = out.new_empty(batch, steps, blocks * size)
    return grads, out.new_empty(2, batch, size), out.new_empty(batch, size)
