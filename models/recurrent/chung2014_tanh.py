"""The tanh unit of Chung et al. (2014), and the products over all steps that the paper's units share.

A recurrent layer is slow where it must go step by step. Only the recurrent product and the gates must: the
inputs of all steps go through their weights in one product before the loop, and the gradients of all weights
come from one product each after the loop that goes back in time. The factors
of the backward loop are available when it starts, so the gates' derivatives are also computed at once.

Axes inside these functions: steps first, (T, B, D), so that each step is one piece of memory.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Derivatives from a function's value, written into a given tensor: grad * s * (1 - s) and grad * (1 - y * y).
sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


def pre_activations(inputs: Tensor, weight_ih: Tensor, bias: Tensor) -> Tensor:
    """Return W x + b of all steps (T, B, k H), for inputs (T, B, D), weights (k H, D) and biases (k H)."""
    products = torch.addmm(bias, inputs.flatten(0, 1), weight_ih.t())
    return products.view(*inputs.shape[:2], len(bias))


def states_after(first: Tensor, steps: int) -> Tensor:
    """Allocate the states (T + 1, B, H) before and after each of ``steps``, with the first one filled in."""
    states = first.new_empty(steps + 1, *first.shape)
    states[0] = first
    return states


def product_over_steps(grads: Tensor, values: Tensor) -> Tensor:
    """Return a weight gradient (M, N): grads (T, B, M) times values (T, B, N), summed over T and B."""
    return grads.flatten(0, 1).t() @ values.flatten(0, 1)


def input_gradients(
    grads: Tensor, inputs: Tensor, weight_ih: Tensor, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return gradients of inputs, input weights and biases, from pre-activation gradients (T, B, k H)."""
    return (
        grads @ weight_ih if wanted[0] else None,
        product_over_steps(grads, inputs) if wanted[1] else None,
        grads.sum((0, 1)) if wanted[2] else None,
    )


class TanhSteps(torch.autograd.Function):
    """h = tanh(W x + U h' + b) over T steps."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight_ih: Tensor, bias: Tensor, weight_hh: Tensor, hidden: Tensor
    ) -> Tensor:
        """Return the hidden states (T, B, H) for inputs (T, B, D) and the state (B, H) before them."""
        pre = pre_activations(inputs, weight_ih, bias)
        hiddens = states_after(hidden, len(inputs))
        for before, at, after in zip(hiddens[:-1], pre, hiddens[1:], strict=True):
            torch.tanh(at.addmm_(before, weight_hh.t()), out=after)
        ctx.save_for_backward(inputs, weight_ih, weight_hh, hiddens)
        return hiddens[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hiddens: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight_ih, weight_hh, hiddens = ctx.saved_tensors
        carried = torch.zeros_like(hiddens[0])
        with torch.autocast(carried.device.type, enabled=False):
            grads = 1 - hiddens[1:].square()
            for at, grad in zip(grads.unbind()[::-1], grad_hiddens.unbind()[::-1], strict=True):
                at.mul_(carried.add_(grad))
                torch.mm(at, weight_hh, out=carried)
            wanted = ctx.needs_input_grad
            return (
                *input_gradients(grads, inputs, weight_ih, wanted),
                product_over_steps(grads, hiddens[:-1]) if wanted[3] else None,
                carried,
            )
