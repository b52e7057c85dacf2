"""A recurrent layer over a sequence as a function of torch's autograd, computed in one kernel each way.

The input weights are multiplied with the inputs of all steps in one product before the kernel. The gradients
of all weights come from products over all steps after the kernel that goes back.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.fused.layer import Weights
from models.gpu_recurrent.cells import KERNEL_CELLS, KernelCell, new_counters, pack, tiles_of
from models.gpu_recurrent.operations import backward, forward


def run_layer(
    kind: str, weights: Weights, inputs: Tensor, state: tuple[Tensor, ...], half: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Run a layer over a sequence.

    Args:
        kind: in `models.gpu_recurrent.cells.KERNEL_CELLS`.
        weights: in float32, as all tensors.
        inputs: (B, T, D).
        state: the state before, (B, H) for each part.
        half: round what recurrent products read to bfloat16. The sums and the state stay float32.

    Returns:
        The hidden states (B, T, H), and the last cell (B, H) of an LSTM.
    """
    second = state[1] if len(state) > 1 else None
    found: tuple[Tensor, Tensor | None] = _apply(kind, half, inputs, *weights, state[0], second)
    return found


class _Steps(torch.autograd.Function):
    """All steps of a layer, with their gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        kind: str,
        half: bool,
        inputs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor | None,
        bias: Tensor,
        second_bias: Tensor | None,
        peephole: Tensor | None,
        hidden: Tensor,
        cell: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        inputs, size = inputs.contiguous(), hidden.shape[1]
        state = [None if part is None else part.contiguous() for part in (hidden, cell)]
        with torch.autocast(inputs.device.type, enabled=False):
            pre = torch.addmm(bias, inputs.flatten(0, 1), weight_ih.t())
        tiles = tiles_of(kind, len(inputs), size, half, inputs.device)
        packed = None if weight_hh is None else pack(weight_hh, size, tiles, half)
        sums = pre.view(*inputs.shape[:2], -1)
        found = forward(kind, sums, packed, second_bias, peephole, *state, new_counters(kind, tiles, pre))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs, weight_ih, packed, peephole, *found)
        ctx.kind, ctx.tiles = kind, tiles
        out, cells = found[0], found[3]
        return out, cells[:, -1].clone() if KERNEL_CELLS[kind].has_cell else None

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_out: Tensor | None, grad_cell: Tensor | None) -> tuple[Any, ...]:
        inputs, weight_ih, packed, peephole, out, before, kept, cells = ctx.saved_tensors
        form, size, wanted = KERNEL_CELLS[ctx.kind], out.shape[2], ctx.needs_input_grad
        grad_out = torch.zeros_like(out) if grad_out is None else grad_out.contiguous()
        grad_cell = None if grad_cell is None else grad_cell.contiguous()
        counters = new_counters(ctx.kind, ctx.tiles, out)
        given = (grad_out, grad_cell, packed, peephole, out, before, kept, cells, counters)
        found = backward(ctx.kind, *given)
        grads, carried, grad_hidden = found
        with torch.autocast(out.device.type, enabled=False):
            flat, rows = grads.flatten(0, 1), form.gates * size
            of_inputs, of_weights = _input_gradients(form, flat, inputs, weight_ih, wanted[2:4])
            summed = flat.sum(0) if any(wanted[5:8]) else None
            return (
                None,
                None,
                of_inputs,
                of_weights,
                _state_weight_gradient(form, flat, before, kept) if wanted[4] else None,
                _in_order_of_inputs(form, summed, size) if summed is not None and wanted[5] else None,
                summed[:rows] if summed is not None and wanted[6] else None,
                summed[rows:].view(3, size) if summed is not None and wanted[7] else None,
                grad_hidden,
                carried[(out.shape[1] - 1) % 2] if form.has_cell else None,
            )


_apply: Any = _Steps.apply


def _input_gradients(
    form: KernelCell, grads: Tensor, inputs: Tensor, weight_ih: Tensor, wanted: tuple[bool, ...]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of inputs (B, T, D) and of W, from those of sums (B T, sums H)."""
    rows = len(weight_ih)
    size = rows // form.gates
    parts = [(slice(0, rows), slice(0, rows))]
    if form.candidate_input != form.gates - 1:
        columns = slice(form.candidate_input * size, (form.candidate_input + 1) * size)
        parts = [(slice(0, rows - size), slice(0, rows - size)), (slice(rows - size, rows), columns)]
    of_inputs = of_weights = None
    if wanted[0]:
        products = [grads[:, columns] @ weight_ih[own] for own, columns in parts]
        of_inputs = sum(products[1:], products[0]).view(inputs.shape)
    if wanted[1]:
        of_weights = torch.empty_like(weight_ih)
        for own, columns in parts:
            torch.mm(grads[:, columns].t(), inputs.flatten(0, 1), out=of_weights[own])
    return of_inputs, of_weights


def _state_weight_gradient(form: KernelCell, grads: Tensor, before: Tensor, kept: Tensor) -> Tensor:
    """Return the gradient of U (G H, H), from those of sums (B T, sums H)."""
    size = before.shape[2]
    rows = form.gates * size
    states = before.flatten(0, 1)
    if form.candidate_reads is None:
        return grads[:, :rows].t() @ states
    found, pair = grads.new_empty(rows, size), rows - size
    read = kept.flatten(0, 1)[:, form.candidate_reads * size :][:, :size]
    torch.mm(grads[:, :pair].t(), states, out=found[:pair])
    torch.mm(grads[:, pair:rows].t(), read, out=found[pair:])
    return found


def _in_order_of_inputs(form: KernelCell, sums: Tensor, size: int) -> Tensor:
    """Return the gradient of the bias beside W, from the sums of all gradients (sums H)."""
    if form.candidate_input == form.gates - 1:
        return sums[: form.gates * size]
    first = form.candidate_input * size
    return torch.cat([sums[: (form.gates - 1) * size], sums[first : first + size]])
