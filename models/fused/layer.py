"""Recurrent layers over sequences as a function of torch's autograd, computed in compiled loops."""

from collections.abc import Sequence
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


class Call(NamedTuple):
    """One layer with what it is run on: inputs (B, T, D), and a state (B, H) for each part."""

    weights: Weights
    inputs: Tensor
    state: tuple[Tensor, ...]

    def tensors(self) -> tuple[Tensor | None, ...]:
        """Return all of them, `TENSORS` in number."""
        second = self.state[1] if len(self.state) > 1 else None
        return self.inputs, *self.weights, self.state[0], second

    @classmethod
    def of(cls, tensors: Sequence[Any]) -> "Call":
        """Return what `tensors` returned as a call."""
        inputs, *weights, hidden, cell = tensors
        return cls(Weights(*weights), inputs, (hidden,) if cell is None else (hidden, cell))


TENSORS = 8
"""Tensors of a call."""


def run_layer(
    cell: CompiledCell, weights: Weights, inputs: Tensor, state: tuple[Tensor, ...], half: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Run one layer over a sequence; see `run_layers`."""
    return run_layers(cell, [Call(weights, inputs, state)], half)[0]


def run_layers(
    cell: CompiledCell, calls: Sequence[Call], half: bool = False
) -> list[tuple[Tensor, Tensor | None]]:
    """Run layers over a sequence each; none reads what another one does.

    Args:
        cell: equations of all of them.
        calls: the layers, with tensors of one type.
        half: round what products read to bfloat16; for float32 alone, where `has_half_products`.

    Returns:
        Of each, the hidden states (B, T, H), and the last cell (B, H) of an LSTM.
    """
    tensors = [tensor for call in calls for tensor in call.tensors()]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors if tensor is not None):
        found = _apply(cell, half, *tensors)
        return list(zip(found[::2], found[1::2], strict=True))
    runs = threads.each(lambda call: _forward(cell, call, half, keep=False), calls)
    return [(run.hidden, run.last_cell) for run in runs]


class _Run(NamedTuple):
    """A forward pass, with all that the backward pass reads of it."""

    shape: Shape
    before: Array
    constants: Array
    kept: Array
    hidden: Tensor
    last_cell: Tensor | None


def _forward(cell: CompiledCell, call: Call, half: bool, keep: bool) -> _Run:
    weights, inputs, state = call
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
    """All steps of some layers, with their gradients."""

    @staticmethod
    def forward(ctx: Any, cell: CompiledCell, half: bool, *tensors: Tensor | None) -> tuple[Any, ...]:
        calls = [Call.of(each) for each in _portions(tensors)]
        runs = threads.each(lambda call: _forward(cell, call, half, keep=True), calls)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *(run.hidden for run in runs))
        ctx.cell, ctx.half, ctx.spent = cell, half, False
        # The hidden states are saved above, without a cycle.
        ctx.runs = [run._replace(hidden=torch.empty(0), last_cell=None) for run in runs]
        return tuple(part for run in runs for part in (run.hidden, run.last_cell))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        cell, half, spent, saved = ctx.cell, ctx.half, ctx.spent, ctx.saved_tensors
        ctx.spent = True
        calls = [Call.of(each) for each in _portions(saved[: len(ctx.runs) * TENSORS])]
        hidden = saved[len(ctx.runs) * TENSORS :]
        wanted = _portions(ctx.needs_input_grad[2:])

        def gradients(n: int) -> tuple[Tensor | None, ...]:
            # An earlier pass back has overwritten what this one needs.
            run = _forward(cell, calls[n], half, keep=True) if spent else ctx.runs[n]
            on_outputs = grads[2 * n], grads[2 * n + 1]
            return _backward(cell, calls[n], half, run, hidden[n], on_outputs, wanted[n])

        found = threads.each(gradients, range(len(calls)))
        return None, None, *(gradient for each in found for gradient in each)


def _portions(values: Sequence[Any]) -> list[Sequence[Any]]:
    """Return the values of each call."""
    return [values[begin : begin + TENSORS] for begin in range(0, len(values), TENSORS)]


def _backward(
    cell: CompiledCell,
    call: Call,
    half: bool,
    run: _Run,
    hidden: Tensor,
    grads: tuple[Tensor | None, Tensor | None],
    wanted: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Return the gradients of a call's tensors from those of the hidden states and of the last cell."""
    weights, inputs, state = call
    batch, steps, _, size = run.shape
    out = _flat(hidden)
    grad_out = np.zeros_like(out) if grads[0] is None else _flat(grads[0])
    grad_before = np.zeros((len(state), batch, size), out.dtype)
    if grads[1] is not None:
        grad_before[1] = grads[1].numpy()
    packed = _pack_columns(_array(weights.weight_hh), half)
    peeps = 3 if wanted[5] else 0
    on_biases = np.zeros((batch, (cell.sums + peeps) * size), out.dtype)
    tables = (run.before, out, run.kept, packed, run.constants, on_biases.reshape(-1))
    flat = grad_before.reshape(-1)

    def some_rows(part: tuple[int, int]) -> None:
        cell.backward(run.shape, grad_out, *tables, flat, *part)

    threads.run(some_rows, threads.ranges(batch, 4, _ROWS))
    sums = Sums(run.kept, batch, steps, cell.kept, size, half)
    before = tuple(torch.from_numpy(part) for part in grad_before)
    on_constants = torch.from_numpy(on_biases.sum(0))
    on_bias, on_second = _bias_gradients(cell, on_constants, size)
    on_weights: tuple[Tensor | None, Tensor | None] = (None, None)
    if wanted[1] or wanted[2]:
        first = run.before[: batch * size]
        on_weights = weight_gradients(cell, sums, _array(inputs), first, out)
    return (
        sums.input_gradient(_array(weights.weight_ih), cell.input_order) if wanted[0] else None,
        *(found if each else None for found, each in zip(on_weights, wanted[1:3], strict=True)),
        on_bias,
        on_second if wanted[4] else None,
        on_constants[cell.sums * size :].view(3, size).clone() if peeps else None,
        before[0],
        before[1] if len(state) > 1 else None,
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
