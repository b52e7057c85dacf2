"""The LSTM with diagonal peepholes of Chung et al. (2014) over a sequence, with its gradient.

Equations, after Graves (2013): i, f = sigmoid(W x + U h' + V c' + b), c = f c' + i tanh(W x + U h' + b)
and o = sigmoid(W x + U h' + V c + b), h = o tanh(c), each V a diagonal matrix, held as a row.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.recurrent.chung2014_tanh import (
    input_gradients,
    pre_activations,
    product_over_steps,
    sigmoid_backward,
    states_after,
    tanh_backward,
)


class PeepholeLSTMSteps(torch.autograd.Function):
    """All T steps. Weights and biases hold their rows in the order i, f, g, o, the peepholes i, f, o."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight_ih: Tensor,
        bias: Tensor,
        weight_hh: Tensor,
        peephole: Tensor,
        hidden: Tensor,
        cell: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return hidden states (T, B, H) and the last cell (B, H) for inputs (T, B, D) and states (B, H)."""
        pre = pre_activations(inputs, weight_ih, bias)
        gates = pre.unflatten(-1, (4, -1))
        hiddens, cells = states_after(hidden, len(inputs)), states_after(cell, len(inputs))
        squashed = torch.empty_like(cells[1:])  # tanh(c)
        parts = (
            gates[:, :, :2],
            *gates.unbind(2),
            hiddens[:-1],
            cells[:-1],
            cells[1:],
            squashed,
            hiddens[1:],
        )
        steps = (part.unbind() for part in (pre, *parts))
        for at, pair, i, f, g, o, h_before, before, after, squash, h in zip(*steps, strict=True):
            at.addmm_(h_before, weight_hh.t())
            pair.addcmul_(before[:, None], peephole[:2]).sigmoid_()
            torch.mul(f, before, out=after).addcmul_(i, g.tanh_())
            o.addcmul_(after, peephole[2]).sigmoid_()
            torch.mul(o, torch.tanh(after, out=squash), out=h)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs, weight_ih, weight_hh, peephole, gates, hiddens, cells, squashed)
        return hiddens[1:], cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_hiddens: Tensor | None, grad_cell: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        inputs, weight_ih, weight_hh, peephole, gates, hiddens, cells, squashed = ctx.saved_tensors
        if grad_hiddens is None:
            grad_hiddens = torch.zeros_like(squashed)
        on_cell = torch.zeros_like(cells[0]) if grad_cell is None else grad_cell.clone()
        with torch.autocast(cells.device.type, enabled=False):
            grads = _derivatives(gates, cells[:-1], squashed)
            on_hidden = _back_in_time(grads, gates, squashed, weight_hh, peephole, grad_hiddens, on_cell)
            wanted = ctx.needs_input_grad
            flat = grads.flatten(2)
            return (
                *input_gradients(flat, inputs, weight_ih, wanted),
                product_over_steps(flat, hiddens[:-1]) if wanted[3] else None,
                _peephole_gradient(grads, cells) if wanted[4] else None,
                on_hidden,
                on_cell,
            )


def _derivatives(gates: Tensor, before: Tensor, squashed: Tensor) -> Tensor:
    """Return the factors (T, B, 4, H) that map a step's gradient to the gates' pre-activations.

    For i, f and g that is the gradient of c, for o the gradient of h.
    """
    i, f, g, o = gates.unbind(2)
    factors = torch.empty_like(gates)
    of_i, of_f, of_g, of_o = factors.unbind(2)
    sigmoid_backward(g, i, grad_input=of_i)
    sigmoid_backward(before, f, grad_input=of_f)
    tanh_backward(i, g, grad_input=of_g)
    sigmoid_backward(squashed, o, grad_input=of_o)
    return factors


def _back_in_time(
    factors: Tensor,
    gates: Tensor,
    squashed: Tensor,
    weight_hh: Tensor,
    peephole: Tensor,
    grad_hiddens: Tensor,
    on_cell: Tensor,
) -> Tensor:
    """Turn the factors, in place, into pre-activation gradients; return the first hidden state's.

    ``on_cell`` is the last cell's gradient and becomes the first one's.
    """
    _, f, _, o = gates.unbind(2)
    of_i, of_f, of_g, of_o = factors.unbind(2)
    # From h to c, through tanh and through the output gate's peephole; and from c to c', kept or peeped at.
    down = tanh_backward(o, squashed, grad_input=torch.empty_like(squashed)).addcmul_(of_o, peephole[2])
    keep = torch.addcmul(f, of_i, peephole[0]).addcmul_(of_f, peephole[1])
    on_hidden = torch.zeros_like(on_cell)
    parts = (grad_hiddens, factors.flatten(2), factors[:, :, :2], of_g, of_o, down, keep)
    steps = (part.unbind()[::-1] for part in parts)
    for grad, at, at_pair, at_g, at_o, to_cell, to_before in zip(*steps, strict=True):
        at_o.mul_(on_hidden.add_(grad))
        on_cell.addcmul_(on_hidden, to_cell)
        at_pair.mul_(on_cell[:, None])
        at_g.mul_(on_cell)
        on_cell.mul_(to_before)
        torch.mm(at, weight_hh, out=on_hidden)
    return on_hidden


def _peephole_gradient(grads: Tensor, cells: Tensor) -> Tensor:
    """Return (3, H), from pre-activation gradients (T, B, 4, H) and the cells (T + 1, B, H) around steps."""
    of_i, of_f, _, of_o = grads.unbind(2)
    seen = ((of_i, cells[:-1]), (of_f, cells[:-1]), (of_o, cells[1:]))
    return torch.stack([(grad * cell).sum((0, 1)) for grad, cell in seen])
