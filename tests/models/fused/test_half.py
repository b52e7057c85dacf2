"""Products in bfloat16: near those in float32, and the same bits on any number of threads."""

import pytest
import torch
from torch import Tensor, nn

from models.fused.cells import COMPILED_CELLS
from models.fused.choice import weights_of
from models.fused.half import has_half_products
from models.fused.layer import run_layer
from models.recurrent.cells import Cell
from models.recurrent.stack import RecurrentStack
from tests.helpers.networks.compiled_layers import (
    case,
    compiled,
    every_cell,
    results_and_gradients,
    threads,
)

pytestmark = pytest.mark.skipif(not has_half_products(), reason="the processor has no bfloat16 products")


def half(cell: Cell, layer: nn.Module, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    form = COMPILED_CELLS[cell.compiled or ""]
    hidden, last = run_layer(form, weights_of(layer), inputs, state, half=True)
    return (hidden,) if last is None else (hidden, last)


@pytest.mark.thinned(6)
@every_cell
@pytest.mark.parametrize(("batch", "steps", "width", "size"), [(1, 1, 1, 1), (3, 7, 5, 4), (37, 8, 20, 33)])
def test_outputs_and_gradients_are_near_those_in_single_precision(
    name: str, batch: int, steps: int, width: int, size: int
) -> None:
    arguments = case(name, batch, steps, width, size)
    ours, exact = (results_and_gradients(run, *arguments) for run in (half, compiled))
    for found, right in zip(ours, exact, strict=True):
        assert float((found - right).norm()) <= 0.05 * float(right.norm())
    assert not all(torch.equal(a, b) for a, b in zip(ours, exact, strict=True))


@every_cell
def test_bits_do_not_depend_on_threads(name: str) -> None:
    arguments = case(name, 37, 6, 5, 21)
    first = results_and_gradients(half, *arguments)
    for number in (1, 2, 3):
        with threads(number):
            other = results_and_gradients(half, *arguments)
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_mixed_precision_uses_them() -> None:
    stack, inputs = RecurrentStack("gru", 5, 12), torch.randn(8, 16, 5)
    with torch.autocast("cpu", torch.bfloat16):
        hidden, _ = stack(inputs, stack.initial_state(8))
    exact, _ = stack(inputs, stack.initial_state(8))
    assert hidden.dtype == torch.float32
    assert hidden.grad_fn.name() == "_StepsBackward"
    assert not torch.equal(hidden, exact)
    torch.testing.assert_close(hidden, exact, rtol=0, atol=0.02)
