"""The negative log-likelihoods of heads' outputs as a function of torch's autograd, with its gradients."""

from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.distributions.distribution import Steps
from models.fused import threads
from models.fused.memory import empty
from models.fused.products import Array, pack_columns, padded
from models.fused.tiles import LANES
from models.fused_heads.blocks import ROWS
from models.fused_heads.covariances import basis_rows
from models.fused_heads.part import Data, Form, Shape, add_parts, room_of, train_rows

_FEWEST_ROWS = 8 * ROWS
_MOST_PARTS = 16
"""Rows are divided into parts of at least so many rows, and at most so many parts, whatever runs them: each
adds up gradients of its own, and their sum is in this order."""


class Head(NamedTuple):
    """A head as the compiled loops read it.

    Attributes:
        shape: see `models.fused_heads.part.Shape`.
        projection: its linear layer.
        floor: smallest scale of a mixture; None for notes.
        full: whether a mixture has full covariances.
        predictor: P coefficients that an autoregressive head starts at, and their basis (P, P).
    """

    shape: Shape
    projection: nn.Linear
    floor: float | None
    full: bool
    predictor: tuple[Tensor, Tensor] | None


class Scored(NamedTuple):
    """Hidden vectors that a head is trained on.

    Attributes:
        head: the head.
        hidden: hidden vectors (B, T, H).
        steps: targets and what comes with them.
        factor: of the sum of all log-likelihoods.
    """

    head: Head
    hidden: Tensor
    steps: Steps
    factor: float


def log_likelihood_sum(head: Head, hidden: Tensor, steps: Steps, factor: float) -> Tensor:
    """Return ``factor`` times the sum of all log-likelihoods, in nats, with its gradients; see `Scored`."""
    return log_likelihood_sums([Scored(head, hidden, steps, factor)])[0]


def log_likelihood_sums(scored: Sequence[Scored]) -> tuple[Tensor, ...]:
    """Do for each of some heads what `log_likelihood_sum` does, in one pass."""
    tensors: list[Tensor] = []
    for head, hidden, _, _ in scored:
        tensors += hidden, head.projection.weight, head.projection.bias
    found: tuple[Tensor, ...] = _LogLikelihoods.apply(scored, *tensors)  # type: ignore[no-untyped-call]
    return found


class _LogLikelihoods(torch.autograd.Function):
    """All gradients are computed in the forward pass; the backward pass only hands them over."""

    @staticmethod
    def forward(context: Any, scored: Sequence[Scored], *tensors: Tensor) -> tuple[Tensor, ...]:
        found = threads.each(_compute, scored)
        context.gradients = [gradients for _, *gradients in found]
        return tuple(loss for loss, *_ in found)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        found, context.gradients = context.gradients, None
        for gradient, own in zip(gradients, found, strict=True):
            if gradient.item() != 1:
                for each in own:
                    each.mul_(gradient)
        return None, *(each for own in found for each in own)


def _compute(scored: Scored) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the loss and the gradients of hidden vectors, weights and biases."""
    head, hidden, steps, factor = scored
    weight, bias = head.projection.weight, head.projection.bias
    kind = hidden.detach().numpy().dtype.type
    batch, length, width = hidden.shape
    size, order = head.shape[1], head.shape[2]
    count, row = batch * length, padded(width + 1)
    parts = _parts(count)
    w = _packed(weight, bias, row)
    room = room_of(head.shape, len(w) // row)
    workers = min(torch.get_num_threads(), len(parts))
    scratch = empty(len(parts) * len(w) + workers * room + count, kind)
    grad_parts, rooms = scratch[: len(parts) * len(w)], scratch[len(parts) * len(w) : -count]
    log_prob = scratch[-count:]
    grad_hidden = empty(count * width, kind).reshape(count, width)
    flat, strides = _flat(hidden)
    targets, mask = _matrix(steps.targets, size, kind), _matrix(steps.mask, size, np.bool_)
    data = Data(flat, strides, targets, mask, w, _in_panels(w, row), log_prob, grad_hidden)
    bounds = None
    if steps.bounds is not None:
        bounds = _matrix(steps.bounds[0], size, np.float64), _matrix(steps.bounds[1], size, np.float64)
    predictor = None
    if head.predictor is not None:
        predictor = _matrix(steps.history[..., -order:], order, kind), _basis(*head.predictor, kind)
    floor = None if head.floor is None else kind(head.floor)
    form = Form(floor, 0 if head.full else None, predictor, bounds)
    free: SimpleQueue[Array] = SimpleQueue()
    for worker in range(workers):
        free.put(rooms[worker * room : (worker + 1) * room])

    def run(part: int) -> None:
        own = free.get()
        grad = grad_parts[part * len(w) : (part + 1) * len(w)]
        train_rows(head.shape, form, data, kind(factor), own, parts[part], grad)
        free.put(own)

    threads.run(run, range(len(parts)))
    grad_weight = empty(weight.numel(), kind).reshape(weight.shape)
    grad_bias = np.empty(len(bias), kind)

    def add(outputs: tuple[int, int]) -> None:
        add_parts(grad_parts, len(parts), row, width, grad_weight, grad_bias, *outputs)

    threads.run(add, threads.ranges(len(bias), 1, len(bias)), grad_parts.size)
    total = torch.tensor(log_prob.sum(dtype=np.float64) * factor, dtype=hidden.dtype)
    of_hidden, of_weight, of_bias = map(torch.from_numpy, (grad_hidden, grad_weight, grad_bias))
    return total, of_hidden.view(hidden.shape), of_weight, of_bias


def _parts(count: int) -> list[tuple[int, int]]:
    share = max(_FEWEST_ROWS, -(-count // (_MOST_PARTS * ROWS)) * ROWS)
    return [(begin, min(begin + share, count)) for begin in range(0, count, share)]


def _packed(weight: Tensor, bias: Tensor, row: int) -> Array:
    """Return weights with the biases in a column behind them, in rows of ``row`` numbers, flat."""
    outputs, width = weight.shape
    kind = weight.detach().numpy().dtype
    rows = -(-outputs // 4) * 4
    packed = empty(rows * row, kind)
    table = packed.reshape(rows, row)
    table[:outputs, :width] = weight.detach().numpy()
    table[:outputs, width] = bias.detach().numpy()
    table[:outputs, width + 1 :] = 0
    table[outputs:] = 0
    return packed


def _in_panels(w: Array, row: int) -> Array:
    """Return the columns of `_packed` weights in panels (columns / LANES, outputs, LANES), flat."""
    table, panels = w.reshape(-1, row), row // LANES
    found = empty(w.size, w.dtype)
    columns = found.reshape(panels, len(table), LANES)

    def some_panels(part: tuple[int, int]) -> None:
        pack_columns(table, columns, 0, len(table), *part)

    threads.run(some_panels, threads.ranges(panels, 1, panels), found.size)
    return found


def _flat(hidden: Tensor) -> tuple[Array, tuple[int, int, int]]:
    """Return the memory of hidden vectors (B, T, H), and T with the strides of sequences and steps."""
    if hidden.stride(-1) != 1:
        hidden = hidden.contiguous()
    batch, steps, width = hidden.shape
    strides = hidden.stride(0), hidden.stride(1)
    extent = (batch - 1) * strides[0] + (steps - 1) * strides[1] + width
    flat = hidden.detach().as_strided((extent,), (1,)).numpy()
    return flat, (steps, *strides)


def _matrix(values: Tensor | None, width: int, kind: Any) -> Array:
    """Return values (B, T, width) as (N, width); without values, no rows."""
    if values is None:
        return np.empty((0, width), kind)
    return np.ascontiguousarray(values.detach().reshape(-1, width).numpy(), kind)


def _basis(start: Tensor, basis: Tensor, kind: Any) -> Array:
    """Return the basis of an autoregressive head with its predictor behind it, and rows of zeros, flat."""
    order = len(start)
    table = np.zeros((basis_rows(order), order), kind)
    table[:order] = basis.numpy()
    table[order] = start.numpy()
    return table.reshape(-1)
