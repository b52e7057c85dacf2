"""Timings of the models' parts, in ratios: cells of Chung et al. (2014) against the library's, and heads.

The rounds of both alternate, since a shared machine's speed drifts. Medians are compared.
"""

import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from models.heads import AutoregressiveMixtureHead, FullMixtureHead, GaussianMixtureHead
from models.predictor import Predictor
from models.recurrent.cells import CELLS, Cell
from models.recurrent.stack import RecurrentStack
from pipeline.benchmarks.timing import alternating_seconds

ROUNDS = 25
INPUTS, OUTPUTS, ORDER = 20, 10, 32
FLOOR = 1e-3
HEADS: dict[str, Callable[[int], nn.Module]] = {
    "diagonal, 20": lambda units: GaussianMixtureHead(units, OUTPUTS, 20, FLOOR),
    "full, 20": lambda units: FullMixtureHead(units, OUTPUTS, 20, FLOOR),
    "autoregressive, 8": lambda units: AutoregressiveMixtureHead(units, OUTPUTS, 8, FLOOR, ORDER),
}


def bench_models(device: str = "cpu") -> dict[str, Any]:
    """Measure ratios of times at the paper's sizes, for every cell that is registered with a size.

    ``cells``: time of forward and backward, 64 sequences of 48 steps, of each own cell over that of
    the library's kernel of the same width and depth. ``heads``: head, loss and their gradients as a share of
    a whole update of each library cell, 32 sequences of 100 steps.
    """
    sized = [cell for cell in CELLS.values() if cell.size]
    cells = {cell.name: _cell_ratio(cell, device) for cell in sized if cell.timed_against}
    heads = {
        f"{cell.name}, {name}": _head_share(cell, name, device)
        for cell in sized
        if cell.is_torchs
        for name in HEADS
    }
    what = f"sizes of Chung et al. (2014), {device}, {torch.get_num_threads()} threads"
    return {"what": what, "cells": cells, "heads": heads}


def _cell_ratio(cell: Cell, device: str) -> float:
    inputs = torch.randn(64, 48, INPUTS, device=device)

    def pass_through(name: str) -> Callable[[], None]:
        stack = _stack(name, cell).to(device)
        state = stack.initial_state(64)

        def run() -> None:
            hidden, _ = stack(inputs, state)
            hidden.backward(torch.ones_like(hidden))

        return run

    ours, library = _medians(pass_through(cell.name), pass_through(str(cell.timed_against)))
    return ours / library


def _stack(name: str, sized: Cell) -> RecurrentStack:
    """Layers of the cell of this name, as many and as wide as those of ``sized`` in benchmarks."""
    assert sized.size is not None
    units, layers = sized.size
    return RecurrentStack(name, INPUTS, units, layers)


def _head_share(cell: Cell, head_name: str, device: str) -> float:
    stack = _stack(cell.name, cell)
    units = stack.hidden_size
    network = Predictor(INPUTS, stack, HEADS[head_name](units)).to(device)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    inputs = torch.randn(32, 100, ORDER, device=device)
    targets = torch.randn(32, 100, OUTPUTS, device=device)
    state = network.initial_state(32)
    hidden = torch.randn(32, 100, units, device=device, requires_grad=True)

    def update() -> None:
        distribution, _ = network(inputs, state)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(-distribution.log_prob(targets).mean())
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    def head_alone() -> None:
        hidden.grad = None
        torch.autograd.backward(-network.head(hidden, inputs).log_prob(targets).mean())

    alone, whole = _medians(head_alone, update)
    return alone / whole


def _medians(*runs: Callable[[], None]) -> list[float]:
    """Return the median seconds of each."""
    return [statistics.median(times) for times in alternating_seconds(ROUNDS, *runs, warm_up=2)]
