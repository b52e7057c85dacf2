"""A recurrent layer over a sequence as a function of torch's autograd, computed in compiled loops."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.fused import threads
from models.fused.cells import CompiledCell
from models.fused.gradients import Sums, weight_gradients
from models.fused.half import as_words
from models.fused.memory import empty
from models.fused.products import Array, Shape, even, pack_columns, pack_rows, padded
from models.fused.tiles import LANES

_ROWS = 64
"""Most sequences in one part of a loop over steps: their sums stay in the second cache."""


class Weights(NamedTuple):
    """Weights of a layer: W (G H, D), U (G H, H), one or two biases (G H), peepholes (3, H) of an LSTM."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias: Tensor
    second_bias: Tensor | None
    peephole: Tensor | None


def run_layer(
    cell: CompiledCell, weights: Weights, inputs: Tensor, state: tuple[Tensor, ...], half: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Run a layer over a sequence.

    Args:
        cell: its equations.
        weights: of the type of the inputs and the state.
        inputs: (B, T, D).
        state: the state before, (B, H) for each part.
        half: round what products read to bfloat16; for float32 alone, where `has_half_products`.

    Returns:
        The hidden states (B, T, H), and the last cell (B, H) of an LSTM.
    """
    parts = [part for part in (inputs, *weights, *state) if part is not None]
    if torch.is_grad_enabled() and any(part.requires_grad for part in parts):
        second = state[1] if len(state) > 1 else None
        found: tuple[Tensor, Tensor | None] = _apply(cell, half, inputs, *weights, state[0], second)
        return found
    run = _forward(cell, weights, inputs, state, half, keep=False)
    return run.hidden, run.last_cell


class _Run(NamedTuple):
    """A forward pass, with all that the backward pass reads of it."""

    shape: Shape
    before: Array
    constants: Array
    kept: Array
    hidden: Tensor
    last_cell: Tensor | None


def _forward(
    cell: CompiledCell,
    weights: Weights,
    inputs: Tensor,
    state: tuple[Tensor, ...],
    half: bool,
    keep: bool,
) -> _Run:
    batch, steps, width = inputs.shape
    size = weights.weight_hh.shape[1]
    shape, kept_steps = (batch, steps, width, size), steps if keep else 1
    x = _array(inputs)
    kind = x.dtype
    packed = _pack(cell, _array(weights.weight_ih), _array(weights.weight_hh), half)
    constants = _constants(cell, weights, size, peeps=len(state) > 1)
    before = np.concatenate([_flat(part) for part in state])
    kept = empty(batch * kept_steps * cell.kept * size + LANES, kind)
    out = empty(batch * steps * size, kind)
    flat = x.reshape(-1)

    def some_rows(part: tuple[int, int]) -> None:
        cell.forward(shape, flat, before, packed, constants, out, kept, kept_steps, *part)

    threads.run(some_rows, threads.ranges(batch, 4, _ROWS))
    hidden = torch.from_numpy(out).view(batch, steps, size)
    last = None
    if len(state) > 1:
        last = torch.from_numpy(kept[:-LANES].reshape(batch, kept_steps, cell.kept, size)[:, -1, -1].copy())
    return _Run(shape, before, constants, kept, hidden, last)


def _pack(cell: CompiledCell, weight_ih: Array, weight_hh: Array, half: bool) -> Array:
    """Return panels (panels, terms, LANES) of the rows of [W, U], flat; both begin at an even term."""
    width, size = even(weight_ih.shape[1]), weight_hh.shape[1]
    terms, panels = width + even(size), cell.panels(size)
    packed = empty(panels * terms * LANES, weight_ih.dtype)
    first_row = panel = 0
    parts: list[tuple[Any, ...]] = []
    for gates in cell.blocks:
        rows = slice(first_row, first_row + gates * size)
        of_block = packed.reshape(panels, terms, LANES)[panel : panel + padded(gates * size) // LANES]
        for some in threads.ranges(len(of_block), 1, len(of_block)):
            parts.append((weight_ih[rows], of_block, 0, width, *some))
            parts.append((weight_hh[rows], of_block, width, terms, *some))
        first_row, panel = rows.stop, panel + len(of_block)
    threads.run(lambda part: pack_rows(*part), parts, packed.size)
    return as_words(packed) if half else packed


def _pack_columns(weights: Array, half: bool) -> Array:
    """Return panels (panels, terms, LANES) of the columns of weights (G H, H), flat."""
    rows, panels = even(len(weights)), padded(weights.shape[1]) // LANES
    packed = empty(panels * rows * LANES, weights.dtype)
    table = packed.reshape(panels, rows, LANES)
    some = threads.ranges(panels, 1, panels)
    threads.run(lambda part: pack_columns(weights, table, 0, rows, *part), some, packed.size)
    return as_words(packed) if half else packed


class _Steps(torch.autograd.Function):
    """All steps of a layer, with their gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: CompiledCell,
        half: bool,
        inputs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
        second_bias: Tensor | None,
        peephole: Tensor | None,
        hidden: Tensor,
        last_cell: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        weights = Weights(weight_ih, weight_hh, bias, second_bias, peephole)
        state = (hidden,) if last_cell is None else (hidden, last_cell)
        run = _forward(cell, weights, inputs, state, half, keep=True)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs, *weights, *state, run.hidden)
        ctx.cell, ctx.half, ctx.parts, ctx.spent = cell, half, len(state), False
        ctx.run = run._replace(hidden=torch.empty(0), last_cell=None)  # saved above, without a cycle
        return run.hidden, run.last_cell

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Tensor | None, grad_cell: Tensor | None) -> tuple[Any, ...]:
        inputs, *saved, hidden = ctx.saved_tensors
        weights, state = Weights(*saved[:5]), tuple(saved[5:])
        cell, run = ctx.cell, ctx.run
        if ctx.spent:  # an earlier pass back has overwritten what this one needs
            run = _forward(cell, weights, inputs, state, ctx.half, keep=True)
        ctx.spent = True
        batch, steps, _, size = run.shape
        out = _flat(hidden)
        grad_out = np.zeros_like(out) if grad_hidden is None else _flat(grad_hidden)
        grad_before = np.zeros((ctx.parts, batch, size), out.dtype)
        if grad_cell is not None:
            grad_before[1] = grad_cell.numpy()
        packed = _pack_columns(_array(weights.weight_hh), ctx.half)
        wanted = ctx.needs_input_grad
        peeps = 3 if wanted[7] else 0
        on_biases = np.zeros((batch, (cell.sums + peeps) * size), out.dtype)
        tables = (run.before, out, run.kept, packed, run.constants, on_biases.reshape(-1))
        flat = grad_before.reshape(-1)

        def some_rows(part: tuple[int, int]) -> None:
            cell.backward(run.shape, grad_out, *tables, flat, *part)

        threads.run(some_rows, threads.ranges(batch, 4, _ROWS))
        sums = Sums(run.kept, batch, steps, cell.kept, size, ctx.half)
        before = tuple(torch.from_numpy(part) for part in grad_before)
        on_constants = torch.from_numpy(on_biases.sum(0))
        on_bias, on_second = _bias_gradients(cell, on_constants, size)
        on_weights: tuple[Tensor | None, Tensor | None] = (None, None)
        if wanted[3] or wanted[4]:
            first = run.before[: batch * size]
            on_weights = weight_gradients(cell, sums, _array(inputs), first, out)
        return (
            None,
            None,
            sums.input_gradient(_array(weights.weight_ih), cell.input_order) if wanted[2] else None,
            *(found if each else None for found, each in zip(on_weights, wanted[3:5], strict=True)),
            on_bias,
            on_second if wanted[6] else None,
            on_constants[cell.sums * size :].view(3, size).clone() if peeps else None,
            before[0],
            before[1] if ctx.parts > 1 else None,
        )


_apply: Any = _Steps.apply


def _bias_gradients(cell: CompiledCell, sums: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the gradients of the biases (G H) beside W and beside U."""
    rows, first = cell.gates * size, cell.first_state_block * size
    return _in_order(cell, sums[:rows]), sums[first : first + rows].clone()


def _in_order(cell: CompiledCell, found: Tensor) -> Tensor:
    """Return the gradient of W's rows in their own order."""
    if cell.input_order == tuple(range(cell.gates)):
        return found.contiguous()
    blocks = found.chunk(cell.gates)
    return torch.cat([blocks[cell.input_order.index(block)] for block in range(cell.gates)])


def _constants(cell: CompiledCell, weights: Weights, size: int, peeps: bool) -> Array:
    biases = [_array(bias) for bias in (weights.bias, weights.second_bias) if bias is not None]
    peephole = np.zeros((3, size) if peeps else 0, biases[0].dtype)
    return cell.constants(biases, peephole if weights.peephole is None else _array(weights.peephole))


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().contiguous().numpy()
    return array


def _flat(tensor: Tensor) -> Array:
    return _array(tensor).reshape(-1)
