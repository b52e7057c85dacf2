"""Compiled recurrent layers and torch's, called alike, with their gradients."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from models.fused.cells import COMPILED_CELLS
from models.fused.choice import weights_of
from models.fused.layer import run_layer
from models.recurrent.cells import CELLS, Cell

every_cell = pytest.mark.parametrize("name", [name for name, cell in CELLS.items() if cell.compiled])

Run = Callable[[Cell, nn.Module, Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]


def compiled(cell: Cell, layer: nn.Module, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    hidden, last = run_layer(COMPILED_CELLS[cell.compiled or ""], weights_of(layer), inputs, state)
    return (hidden,) if last is None else (hidden, last)


def torchs(cell: Cell, layer: nn.Module, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    parts = tuple(part[None] for part in state)
    hidden, after = layer(inputs, parts if len(parts) > 1 else parts[0])
    return (hidden,) if len(parts) == 1 else (hidden, after[1][0])


def case(
    name: str, batch: int, steps: int, width: int, size: int, kind: torch.dtype = torch.float32
) -> tuple[Cell, nn.Module, Tensor, tuple[Tensor, ...]]:
    """A layer with wide weights, inputs, and a state that is not zero."""
    torch.manual_seed(0)
    cell = CELLS[name]
    layer = cell.make_layer(width, size).to(kind)
    for weight in layer.parameters():
        nn.init.normal_(weight, std=1.5 * size**-0.5)
    inputs = torch.randn(batch, steps, width, dtype=kind, requires_grad=True)
    state = tuple((0.5 * torch.randn(batch, size, dtype=kind)).requires_grad_() for _ in cell.state_names)
    return cell, layer, inputs, state


def results_and_gradients(
    run: Run, cell: Cell, layer: nn.Module, inputs: Tensor, state: tuple[Tensor, ...]
) -> list[Tensor]:
    """Outputs, and gradients of a sum in which each number counts differently."""
    results = run(cell, layer, inputs, state)
    total = sum((part * torch.sin(torch.arange(part.numel())).view(part.shape)).sum() for part in results)
    assert isinstance(total, Tensor)
    wanted = [inputs, *state, *layer.parameters()]
    return [*(part.detach() for part in results), *torch.autograd.grad(total, wanted)]


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
