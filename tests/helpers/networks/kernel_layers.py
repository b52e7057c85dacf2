"""Layers run by the kernels for GPUs in Triton's interpreter, against torch in double precision.

As a program, which has to begin with TRITON_INTERPRET=1, it prints the largest relative error of outputs and
gradients: `python -m tests.helpers.networks.kernel_layers PROGRAMS CELL B T D H KIND`, and so on for more
cells. KIND is single or half, and PROGRAMS how many run at once, among which units may be divided.
"""

import copy
import json
import sys

from torch import Tensor, nn

from models.fused.choice import weights_of
from models.fused.layer import Weights
from models.gpu_recurrent import cells
from models.gpu_recurrent.layer import run_layer
from models.recurrent.cells import Cell
from tests.helpers.networks.compiled_layers import case, results_and_gradients, torchs
from tests.helpers.networks.interpreted import correct


def weights_and_kind(cell: Cell, layer: nn.Module) -> tuple[str, Weights]:
    """The first arguments of `run_layer`."""
    return cell.kernels or "", weights_of(layer)


def kernels(cell: Cell, layer: nn.Module, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    hidden, last = run_layer(*weights_and_kind(cell, layer), inputs, state)
    return (hidden,) if last is None else (hidden, last)


def half_kernels(
    cell: Cell, layer: nn.Module, inputs: Tensor, state: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    hidden, last = run_layer(*weights_and_kind(cell, layer), inputs, state, half=True)
    return (hidden,) if last is None else (hidden, last)


def error_of(name: str, batch: int, steps: int, width: int, size: int, half: bool) -> float:
    cell, layer, inputs, state = case(name, batch, steps, width, size)
    found = results_and_gradients(half_kernels if half else kernels, cell, layer, inputs, state)
    exact = [part.detach().double().requires_grad_() for part in (inputs, *state)]
    expected = results_and_gradients(torchs, cell, copy.deepcopy(layer).double(), exact[0], tuple(exact[1:]))
    pairs = list(zip(found, expected, strict=True))
    assert all(one.shape == other.shape for one, other in pairs)
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)


if __name__ == "__main__":
    correct()
    at_once, cases = int(sys.argv[1]), iter(sys.argv[2:])
    cells.multiprocessors = lambda _: at_once
    for name, *numbers, half in zip(*[cases] * 6, strict=True):
        print(json.dumps(error_of(name, *map(int, numbers), half == "half")), flush=True)
