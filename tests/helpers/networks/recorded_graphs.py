"""Recurrent layers trained with graphs that a stand-in records on the CPU, for tests without a GPU.

The stand-in computes with the real cells, but treats memory as `torch.cuda.make_graphed_callables` does: one
place for inputs, results and gradients, and what backward needs is that of the last forward. So a replay at a
wrong moment gives wrong numbers here too.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from models.cuda_graphs.layer import CALLS_BEFORE_CAPTURE, Steps
from models.recurrent.stack import RecurrentStack, State, detach_state, weight_noise

B, T, D, H = 3, 6, 4, 5
CELLS = ("chung2014-tanh", "chung2014-gru", "chung2014-lstm")
every_cell = pytest.mark.parametrize("cell", CELLS)


class Recorder:
    """Captures as `captured.record` does, with the places of memory played out on the CPU."""

    def __init__(self) -> None:
        self.captures = 0
        self.replays = 0
        self.places_at: set[int] = set()

    def __call__(self, steps: Steps, places: tuple[Tensor, ...]) -> Steps:
        self.captures += 1
        self.places_at = {part.data_ptr() for part in places}
        count = self
        last: list[tuple[Tensor, ...]] = []

        def computed() -> tuple[Tensor, ...]:
            with torch.enable_grad():
                results = steps(*places)
            return (results,) if isinstance(results, Tensor) else results

        single = isinstance(steps(*places), Tensor)
        result_places = [part.detach().clone() for part in computed()]
        grad_places = [torch.empty_like(part) if part.requires_grad else None for part in places]

        class Replay(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
                count.replays += 1
                for place, part in zip(places, tensors, strict=True):
                    if place.data_ptr() != part.data_ptr():
                        place.copy_(part)
                last[:] = [computed()]
                for place, part in zip(result_places, last[0], strict=True):
                    place.copy_(part.detach())
                return tuple(place.detach() for place in result_places)

            @staticmethod
            @torch.autograd.function.once_differentiable
            def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
                wanted = [part for part in places if part.requires_grad]
                found = iter(torch.autograd.grad(last[0], wanted, grads, retain_graph=True))
                for place in grad_places:
                    if place is not None:
                        place.copy_(next(found))
                return tuple(None if place is None else place.detach() for place in grad_places)

        def replay(*tensors: Tensor) -> Any:
            apply: Steps = Replay.apply
            results = apply(*tensors)
            return results[0] if single else results

        return replay


def recording(module: Any, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """What records in place of a GPU, for a module that captures graphs."""
    recorder = Recorder()
    monkeypatch.setattr(module, "can_capture", lambda _: True)
    monkeypatch.setattr(module, "record", recorder)
    return recorder


def stack_of(cell: str, layers: int = 1) -> RecurrentStack:
    torch.manual_seed(0)
    return RecurrentStack(cell, D, H, layers).double()


def inputs_of(seed: int, steps: int = T) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(B, steps, D, dtype=torch.float64, generator=random)


def loss_of(stack: RecurrentStack, inputs: Tensor, state: State | None = None) -> Tensor:
    """A sum in which each number of outputs and state after counts differently."""
    hidden, after = stack(inputs, state or stack.initial_state(len(inputs)))
    parts = [(part * torch.linspace(-1, 2, part.numel()).view(part.shape)).sum() for part in (hidden, *after)]
    return torch.stack(parts).sum()


def gradients(stack: RecurrentStack, inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss_of(stack, inputs), list(stack.parameters()))


def as_written(stack: RecurrentStack, inputs: Tensor) -> tuple[Tensor, ...]:
    """The gradients without any capture: a copy of the stack never trained before."""
    return gradients(copy.deepcopy(stack), inputs)


def same(ours: Any, expected: Any) -> None:
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


def warm(stack: RecurrentStack, steps: int = T) -> None:
    """As many updates as it takes until the next one of this shape is captured."""
    for seed in range(CALLS_BEFORE_CAPTURE):
        gradients(stack, inputs_of(seed, steps))


def trained(
    stack: RecurrentStack, device: torch.device, updates: int, noise: float
) -> Iterator[tuple[Tensor, ...]]:
    """Of each update with a carried state: outputs, state after, gradients and weights."""
    optimizer = torch.optim.SGD(stack.parameters(), 0.01)
    state = stack.initial_state(B)
    for seed in range(updates):
        torch.manual_seed(seed)
        inputs = inputs_of(seed).to(device)
        with weight_noise(stack, noise):
            hidden, after = stack(inputs, state)
            optimizer.zero_grad(set_to_none=True)
            (hidden.square().sum() + after[-1].sum()).backward()
        optimizer.step()
        state = detach_state(after)
        grads = (part.grad for part in stack.parameters() if part.grad is not None)
        yield hidden.detach(), *state, *grads, *(part.detach().clone() for part in stack.parameters())
