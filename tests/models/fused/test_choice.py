"""Layers run in compiled loops where these apply, and otherwise in torch's kernels, with a reason."""

import pytest
import torch

from models.fused.choice import FEWEST_STEPS, run_compiled, torch_kernels, why_torch
from models.recurrent.cells import CELLS
from models.recurrent.stack import RecurrentStack, State, keep_state_where

CPU = torch.device("cpu")
B, T, D, H = 6, 16, 5, 12


def gradients(stack: RecurrentStack, inputs: torch.Tensor, state: State) -> list[torch.Tensor]:
    torch.manual_seed(1)  # of dropout
    hidden, after = stack(inputs, state)
    total = hidden.square().sum() + sum(part.sin().sum() for part in after)
    return list(torch.autograd.grad(total, list(stack.parameters())))


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if cell.compiled])
def test_a_stack_with_all_options_has_the_gradients_of_torchs_kernels(cell: str) -> None:
    torch.manual_seed(0)
    options = {"layer_norm": True, "residual": True, "learned_initial_state": True}
    stack = RecurrentStack(cell, D, H, 3, dropout=0.3, **options)
    assert stack.start is not None
    torch.nn.init.normal_(stack.start)
    inputs = torch.randn(B, T, D)
    assert stack.cell.run_layer(stack.layers[0], inputs, _first(stack))[0].grad_fn.name() == "_StepsBackward"
    keep = torch.tensor([True, False] * 3)
    carried = tuple(torch.randn_like(part) for part in stack.initial_state(B))
    ours = gradients(stack, inputs, keep_state_where(carried, keep, stack.initial_state(B)))
    with torch_kernels():
        expected = gradients(stack, inputs, keep_state_where(carried, keep, stack.initial_state(B)))
    for found, right in zip(ours, expected, strict=True):
        torch.testing.assert_close(found, right, rtol=0, atol=1e-5 * max(1.0, float(right.abs().max())))


def _first(stack: RecurrentStack) -> torch.Tensor | State:
    parts = tuple(part[:1].contiguous() for part in stack.initial_state(B))
    return parts if len(parts) > 1 else parts[0]


@pytest.mark.parametrize(
    ("kind", "device", "precision", "mixed", "reason"),
    [
        (None, CPU, torch.float32, False, "no compiled form"),
        ("GRU", torch.device("cuda"), torch.float32, False, "the device is cuda"),
        ("GRU", CPU, torch.float64, False, "the weights are float64"),
    ],
)
def test_what_is_not_covered_has_a_reason(
    kind: str | None, device: torch.device, precision: torch.dtype, mixed: bool, reason: str
) -> None:
    assert reason in (why_torch(kind, device, precision, mixed) or "")


def test_float32_on_a_cpu_is_covered_unless_torch_is_requested() -> None:
    assert why_torch("GRU", CPU, torch.float32, mixed=False) is None
    with torch_kernels():
        assert why_torch("GRU", CPU, torch.float32, mixed=False) is not None
    assert why_torch("GRU", CPU, torch.float32, mixed=False) is None


@pytest.mark.parametrize(
    ("inputs", "state"),
    [
        (torch.zeros(2, FEWEST_STEPS, D + 1), torch.zeros(1, 2, H)),  # another width
        (torch.zeros(2, FEWEST_STEPS, D), torch.zeros(1, 3, H)),  # another batch
        (torch.zeros(2, FEWEST_STEPS, D), torch.zeros(1, 2, H, dtype=torch.float64)),
        (torch.zeros(1, FEWEST_STEPS - 1, D), torch.zeros(1, 1, H)),  # too little to be faster
        (torch.zeros(2, 0, D), torch.zeros(1, 2, H)),
    ],
)
def test_what_does_not_fit_is_left_to_the_layer(inputs: torch.Tensor, state: torch.Tensor) -> None:
    layer = CELLS["gru"].make_layer(D, H)
    assert run_compiled("GRU", layer, inputs, state) is None
