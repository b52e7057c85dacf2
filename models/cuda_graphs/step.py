"""A whole step of free running as one CUDA graph: recorded once, replayed for each step in one launch.

A step of a recurrent model with its drawing is some hundred kernels of a few microseconds each; on a GPU what
takes the time is launching them. A graph always reads and writes the same memory, so the state
lies here, and the step's inputs are copied in. What leaves is a copy, since the next replay overwrites
all that the one before left behind. Where a graph cannot serve, the step runs as it is written.
"""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.cuda_graphs.layer import can_capture

Memory = tuple[Tensor, ...]
Step = Callable[..., tuple[tuple[Tensor, ...], Memory]]
"""Called with its state, one tuple, and inputs, single tensors; returns results and the state after.

It changes none of its tensors, and on a GPU it never asks for a value (`bool`, `float`, `tolist`), copies
nothing from or to the CPU, and draws no random numbers: they are inputs.
"""

WARM_UP_CALLS = 3


class CapturedStep:
    """A step that keeps its state: a replayed graph on a GPU, the plain function elsewhere.

    Args:
        step: what is done each time.
        memory: its state before the first call; its shapes and types never change.
        examples: inputs of the shapes and types that every call has. Their values do not matter.
        capture: whether to try a graph at all.
    """

    @torch.inference_mode()
    def __init__(self, step: Step, memory: Sequence[Tensor], *examples: Tensor, capture: bool = True) -> None:
        self._step = step
        self._memory = tuple(part.clone(memory_format=torch.contiguous_format) for part in memory)
        self._inputs = tuple(torch.zeros_like(part) for part in examples)
        self._replay = self._captured() if capture and can_capture(self._memory[0].device) else None

    @property
    def memory(self) -> Memory:
        """The step's present state; where a graph replays, the next call overwrites it."""
        return self._memory

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the results of the next step.

        Raises:
            ValueError: inputs, or a memory after the step, of other shapes than the first.
        """
        if self._replay is None:
            results, after = self._step(self._memory, *inputs)
            self._memory = _like(self._memory, after)
            return results
        for place, part in zip(self._inputs, _like(self._inputs, inputs), strict=True):
            place.copy_(part)
        return tuple(part.clone() for part in self._replay(*self._memory, *self._inputs))

    def _captured(self) -> Callable[..., tuple[Tensor, ...]] | None:
        """Return the step's graph, or None where it cannot be captured; the memory is unchanged."""
        before = tuple(part.clone() for part in self._memory)
        try:
            return record(self._in_place, (*self._memory, *self._inputs))
        except Exception as problem:  # whatever it is, the step as written still runs
            reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
            warnings.warn(f"free running goes without CUDA graphs: {reason}", stacklevel=3)
            return None
        finally:
            for place, part in zip(self._memory, before, strict=True):
                place.copy_(part)

    @torch.inference_mode()
    def _in_place(self, *places: Tensor) -> tuple[Tensor, ...]:
        """Run the step on its memory and inputs in place."""
        count = len(self._memory)
        memory, inputs = places[:count], places[count:]
        results, after = self._step(memory, *inputs)
        kept = {part.untyped_storage().data_ptr() for part in memory}
        # What still lies in the memory before, such as a part that moves to another place, is taken out
        # first; so is a result, which must outlive the copying.
        results, after = (
            tuple(part.clone() if part.untyped_storage().data_ptr() in kept else part for part in parts)
            for parts in (results, _like(memory, after))
        )
        for place, part in zip(memory, after, strict=True):
            place.copy_(part)
        return results


def record(step: Callable[..., tuple[Tensor, ...]], places: Memory) -> Callable[..., tuple[Tensor, ...]]:
    """Record ``step(*places)`` as a CUDA graph.

    Args:
        step: a function whose operations can be captured. It is called a few times.
        places: its arguments, whose memory the graph reads and writes.

    Returns:
        A function that replays the graph on the same memory; its arguments are ignored.
    """
    # A capture that fails may leave its own stream as the current one; this puts the old one back.
    with torch.cuda.stream(torch.cuda.current_stream()):
        # The first calls choose algorithms and allocate workspaces, which no capture may.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_CALLS):
                step(*places)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            results = step(*places)

    def replay(*_: Tensor) -> tuple[Tensor, ...]:
        graph.replay()
        return results

    return replay


def _like(places: Memory, parts: Sequence[Tensor]) -> Memory:
    """Return the parts, which must have the places' shapes: copying would silently broadcast others."""
    for place, part in zip(places, parts, strict=True):
        if part.shape != place.shape:
            raise ValueError(f"a tensor of shape {tuple(part.shape)}, not {tuple(place.shape)}, in a step")
    return tuple(parts)
