"""Stacks of layers with all their options, run by the kernels for GPUs in Triton's interpreter.

As a program, which has to begin with TRITON_INTERPRET=1, it prints the largest relative error of gradients
against torch's kernels: `python -m tests.helpers.networks.kernel_stacks CELL`, and so on for more cells.
"""

import sys
from typing import Any

import torch
from torch import Tensor

from models.gpu_recurrent import choice
from models.recurrent.cells import Cell
from models.recurrent.stack import RecurrentStack, keep_state_where
from tests.helpers.networks.interpreted import correct

B, T, D, H = 6, 5, 3, 12


def run_kernels(cell: Cell, layer: Any, inputs: Tensor, state: Any) -> Any:
    """Take the place of `Cell.run_layer`, as on a GPU whose kernels were compared."""
    found = choice.run_kernels(cell.kernels or "", layer, inputs, state)
    assert found is not None
    return found


def run_torch(cell: Cell, layer: Any, inputs: Tensor, state: Any) -> Any:
    return layer(inputs, state)


def gradients(stack: RecurrentStack, run_layer: Any) -> list[Tensor]:
    """Of a loss over outputs and the state after, where some sequences start anew in a learned state."""
    Cell.run_layer = run_layer  # type: ignore[method-assign]
    torch.manual_seed(1)  # of dropout
    keep = torch.tensor([True, False] * (B // 2))
    carried = tuple(torch.randn_like(part) for part in stack.initial_state(B))
    before = keep_state_where(carried, keep, stack.initial_state(B))
    hidden, after = stack(torch.randn(B, T, D), before)
    total = hidden.square().sum() + sum(part.sin().sum() for part in after)
    return list(torch.autograd.grad(total, list(stack.parameters())))


def error_of(cell: str) -> float:
    torch.manual_seed(0)
    stack = RecurrentStack(cell, D, H, 3, 0.3, layer_norm=True, residual=True, learned_initial_state=True)
    assert stack.start is not None
    torch.nn.init.normal_(stack.start)
    pairs = zip(gradients(stack, run_kernels), gradients(stack, run_torch), strict=True)
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)


if __name__ == "__main__":
    correct()
    choice.why_torch = lambda *_: None
    choice.why_untrusted = lambda *_: None
    for name in sys.argv[1:]:
        print(error_of(name), flush=True)
