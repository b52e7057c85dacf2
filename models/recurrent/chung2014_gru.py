"""The GRU of Chung et al. (2014) over a sequence, with its gradient.

z, r = sigmoid(W x + U h' + b), g = tanh(W x + U (r h') + b), h = (1 - z) h' + z g. The reset gate acts before
the recurrent product, so a step has two products one after the other. The common form, with the reset after
the product, has one.
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


class ResetBeforeGRUSteps(torch.autograd.Function):
    """All T steps. Weights and biases hold their rows in the order r, z, g."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight_ih: Tensor, bias: Tensor, weight_hh: Tensor, hidden: Tensor
    ) -> Tensor:
        """Return the hidden states (T, B, H) for inputs (T, B, D) and the state (B, H) before them."""
        size = hidden.shape[1]
        pre = pre_activations(inputs, weight_ih, bias)
        hiddens = states_after(hidden, len(inputs))
        resets = torch.empty_like(hiddens[1:])
        pair_weights, candidate_weights = weight_hh[: 2 * size].t(), weight_hh[2 * size :].t()
        columns = (pre[..., : 2 * size], pre[..., :size], pre[..., size : 2 * size], pre[..., 2 * size :])
        steps = (part.unbind() for part in (*columns, resets, hiddens[:-1], hiddens[1:]))
        for pair, r, z, g, reset, before, after in zip(*steps, strict=True):
            pair.addmm_(before, pair_weights).sigmoid_()
            torch.mul(r, before, out=reset)
            g.addmm_(reset, candidate_weights).tanh_()
            torch.lerp(before, g, z, out=after)
        ctx.save_for_backward(inputs, weight_ih, weight_hh, pre, resets, hiddens)
        return hiddens[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hiddens: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight_ih, weight_hh, gates, resets, hiddens = ctx.saved_tensors
        size = hiddens.shape[2]
        with torch.autocast(hiddens.device.type, enabled=False):
            grads = _derivatives(gates, hiddens[:-1])
            carried = _back_in_time(grads, gates, weight_hh, grad_hiddens)
            wanted = ctx.needs_input_grad
            grad_weight_hh = None
            if wanted[3]:
                pair = product_over_steps(grads[..., : 2 * size], hiddens[:-1])
                candidate = product_over_steps(grads[..., 2 * size :], resets)
                grad_weight_hh = torch.cat([pair, candidate])
            return *input_gradients(grads, inputs, weight_ih, wanted), grad_weight_hh, carried


def _derivatives(gates: Tensor, before: Tensor) -> Tensor:
    """Return the factors (T, B, 3 H) that map a step's gradient to the gates' pre-activations.

    For r that is the gradient of r h', for z and g the gradient of h.
    """
    r, z, g = gates.chunk(3, -1)
    factors = torch.empty_like(gates)
    of_r, of_z, of_g = factors.chunk(3, -1)
    sigmoid_backward(before, r, grad_input=of_r)
    sigmoid_backward(torch.sub(g, before, out=of_z), z, grad_input=of_z)
    tanh_backward(z, g, grad_input=of_g)
    return factors


def _back_in_time(factors: Tensor, gates: Tensor, weight_hh: Tensor, grad_hiddens: Tensor) -> Tensor:
    """Turn the factors, in place, into pre-activation gradients; return the first state's gradient (B, H)."""
    size = weight_hh.shape[1]
    carried = torch.zeros_like(factors[0, :, :size])
    grad_reset = torch.empty_like(carried)
    r, z, _ = gates.chunk(3, -1)
    pair, of_g, of_r = factors[..., : 2 * size], factors[..., 2 * size :], factors[..., :size]
    of_zg = factors[..., size:].unflatten(-1, (2, size))
    pair_weights, candidate_weights = weight_hh[: 2 * size], weight_hh[2 * size :]
    steps = (part.unbind()[::-1] for part in (grad_hiddens, of_zg, of_g, of_r, pair, r, 1 - z))
    for grad, at_zg, at_g, at_r, at_pair, reset, keep in zip(*steps, strict=True):
        at_zg.mul_(carried.add_(grad)[:, None])
        torch.mm(at_g, candidate_weights, out=grad_reset)
        at_r.mul_(grad_reset)
        carried.mul_(keep).addcmul_(grad_reset, reset).addmm_(at_pair, pair_weights)
    return carried
