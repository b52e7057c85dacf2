"""Timings of updates and of cells at the paper's sizes, in ratios to PyTorch's own kernels.

The rounds of two ways alternate, since a shared machine's speed drifts. Medians of their ratios are
compared. Inputs are random: the time of an update does not depend on their values.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from models.distributions.distribution import Steps
from models.fused import threads
from models.fused_heads.choice import compiled_head
from models.gpu_kernels.heads import has_kernel, loss_of_head
from models.heads import AutoregressiveMixtureHead, FullMixtureHead, GaussianMixtureHead
from models.predictor import Predictor
from models.recurrent.cells import CELLS, Cell
from models.recurrent.stack import RecurrentStack
from pipeline.benchmarks.plain_loop import plain_update
from pipeline.benchmarks.timing import alternating_seconds
from pipeline.config.inputs import WaveformConfig
from pipeline.data.batching import Batch
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.features.representations import representation_of
from pipeline.model.likelihood import log_likelihood, training_loss

ROUNDS = 15
INPUTS, OUTPUTS, ORDER = 20, 10, 32
SHAPES = ((32, 100), (64, 48))
"""Sequences and steps of an update."""
FLOOR = 1e-3
LARGE = 1024
"""Rows and columns of the product that the machine's rate is measured with."""
HEADS: dict[str, Callable[[int], nn.Module]] = {
    "diagonal, 20": lambda units: GaussianMixtureHead(units, OUTPUTS, 20, FLOOR),
    "full, 20": lambda units: FullMixtureHead(units, OUTPUTS, 20, FLOOR),
    "autoregressive, 8": lambda units: AutoregressiveMixtureHead(units, OUTPUTS, 8, FLOOR, ORDER),
}


def bench_models(device: str = "cpu") -> dict[str, Any]:
    """Measure ratios of times at the paper's sizes, for every cell that is registered with a size.

    Args:
        device: `cpu` or `cuda`.

    Returns:
        ``updates``: for each cell, head, shape of the batch and number of threads, how many times as fast a
        whole update is as a plain PyTorch update with the library's kernel of the same width and depth,
        ``times_plain``, the part of the update that head, loss and their gradients take, ``head_share``, and
        the rate of its products as a share of that of a large product, ``product_share``: each weight of a
        matrix multiplies and adds once in the forward pass and twice in the backward pass.
        ``serial_share`` is the part of an update's processor time that threads do not divide, on one
        thread of a CPU.
        ``cells``: time of forward and backward, 64 sequences of 48 steps, of each own cell over that of the
        library's kernel.
    """
    sized = [cell for cell in CELLS.values() if cell.size]
    counts = sorted({1, torch.get_num_threads()}) if device == "cpu" else [torch.get_num_threads()]
    updates: list[dict[str, Any]] = [
        {"cell": cell.name, "head": head, "sequences": batch, "steps": steps, "threads": count}
        for count in counts
        for batch, steps in SHAPES
        for cell in sized
        for head in HEADS
    ]
    for row in updates:
        with on_threads(row["threads"]):
            row |= _update_ratios(CELLS[row["cell"]], row, device)
    cells = {cell.name: _cell_ratio(cell, device) for cell in sized if cell.timed_against}
    return {"what": f"sizes of Chung et al. (2014), {device}", "updates": updates, "cells": cells}


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Compute with this number of threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _update_ratios(cell: Cell, row: dict[str, Any], device: str) -> dict[str, float]:
    """Return the figures of one row of the table, see `bench_models`."""
    shape = row["sequences"], row["steps"]
    batch = _random_batch(*shape, device)
    network = _network(cell.name, cell, row["head"], device)
    plain = _network(cell.timed_against or cell.name, cell, row["head"], device)
    optimizer = torch.optim.Adam(plain.parameters())
    hidden = torch.randn(*shape, network.recurrent.hidden_size, device=device)
    seconds = alternating_seconds(
        ROUNDS,
        _update(network, batch),
        lambda: plain_update(plain, optimizer, batch.inputs, batch.targets),
        _head_alone(network.head, hidden, batch),
        _large_product(device),
        warm_up=2,
    )
    ours, theirs, head, product = (statistics.median(times) for times in seconds)
    weights = sum(each.numel() for each in network.parameters() if each.ndim == 2)
    ratios = [b / a for a, b in zip(seconds[0], seconds[1], strict=True)]
    rate = shape[0] * shape[1] / ours
    alone = row["threads"] == 1 and device == "cpu"
    return {
        **({"serial_share": _serial_share(_update(network, batch))} if alone else {}),
        "times_plain": statistics.median(ratios),
        "head_share": head / ours,
        "product_share": 3 * weights * rate / (LARGE**3 / product),
        "steps_per_second": rate,
        "plain_steps_per_second": shape[0] * shape[1] / theirs,
    }


def _serial_share(update: Callable[[], None]) -> float:
    """Return the part of an update, on one thread, that is outside of the loops that threads divide."""
    loops: Any = threads
    run, divided = threads.run, 0.0

    def timed(function: Any, parts: Any, copied: int | None = None) -> None:
        nonlocal divided
        began = time.thread_time()
        run(function, parts, copied)
        if not threads.alone(copied):
            divided += time.thread_time() - began

    shares = []
    loops.run = timed
    try:
        for _ in range(ROUNDS):
            divided, began = 0.0, time.thread_time()
            update()
            shares.append(1 - divided / (time.thread_time() - began))
    finally:
        loops.run = run
    return statistics.median(shares)


def _large_product(device: str) -> Callable[[], None]:
    a, b, product = torch.randn(3, LARGE, LARGE, device=device)

    def run() -> None:
        torch.mm(a, b, out=product)
        product[0, 0].item()

    return run


def _update(network: Predictor, batch: Batch) -> Callable[[], None]:
    """Return an update as the training does it: loss, gradients, clipping, Adam."""
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    normaliser, state = _normaliser(batch.inputs.device), network.initial_state(len(batch.inputs))

    def run() -> None:
        loss, _ = training_loss(network, batch, state, normaliser, False, batch.values / OUTPUTS)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
        optimizer.step()
        loss.item()

    return run


def _head_alone(head: nn.Module, values: Tensor, batch: Batch) -> Callable[[], None]:
    """Return the part of an update that is the head's: its loss and gradients for given hidden values."""
    hidden = values.requires_grad_()
    normaliser = _normaliser(values.device)
    compiled, by_kernel = compiled_head(head), has_kernel(head, values.device)
    steps, count = Steps(batch.targets, None, batch.inputs, None), int(batch.values) / OUTPUTS
    divisor = torch.tensor(count, device=values.device)

    def run() -> None:
        hidden.grad = None
        if by_kernel:
            loss = loss_of_head(head, hidden, steps, divisor)
        elif compiled is None:
            loss = -log_likelihood(head(hidden, batch.inputs), batch, normaliser, False).mean()
        else:
            from models.fused_heads.loss import log_likelihood_sum

            loss = log_likelihood_sum(compiled, hidden, steps, -1 / count)
        torch.autograd.backward(loss)

    return run


def _random_batch(sequences: int, steps: int, device: str) -> Batch:
    inputs = torch.randn(sequences, steps, ORDER, device=device)
    targets = torch.randn(sequences, steps, OUTPUTS, device=device)
    lanes = torch.zeros(sequences, dtype=torch.long, device=device)
    return Batch(inputs, targets, targets, None, targets.numel(), lanes.bool(), lanes)


def _normaliser(device: torch.device) -> Normaliser:
    return Normaliser(representation_of(WaveformConfig()), Normalisation((0.0,), (1.0,)), device)


def _network(name: str, sized: Cell, head: str, device: str) -> Predictor:
    stack = _stack(name, sized)
    return Predictor(INPUTS, stack, HEADS[head](stack.hidden_size)).to(device)


def _cell_ratio(cell: Cell, device: str) -> float:
    inputs = torch.randn(64, 48, INPUTS, device=device)

    def pass_through(name: str) -> Callable[[], None]:
        stack = _stack(name, cell).to(device)
        state = stack.initial_state(64)

        def run() -> None:
            hidden, _ = stack(inputs, state)
            hidden.backward(torch.ones_like(hidden))

        return run

    ways = pass_through(cell.name), pass_through(str(cell.timed_against))
    ours, library = (statistics.median(times) for times in alternating_seconds(ROUNDS, *ways, warm_up=2))
    return ours / library


def _stack(name: str, sized: Cell) -> RecurrentStack:
    """Layers of the cell of this name, as many and as wide as those of ``sized`` in benchmarks."""
    assert sized.size is not None
    units, layers = sized.size
    return RecurrentStack(name, INPUTS, units, layers)
