"""A layer's loop over steps as CUDA graphs: recorded once for a shape, replayed in one launch each way.

A recurrent step is several kernels of a few microseconds each; on a GPU what takes the time is launching
them. `torch.cuda.make_graphed_callables` records forward and backward. A replay overwrites all that the one
before left behind, so a graph rests while automatic differentiation still needs its memory, and whatever
leaves it is a copy. Where a graph cannot serve, the loop runs as it is written: that is always correct.
Each graph keeps the memory of one forward and backward for as long as its layer lives.
"""

import warnings
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

CALLS_BEFORE_CAPTURE = 3
"""Calls of one shape in a row that run as written first: an epoch's shorter last batch is never recorded."""

MOST_GRAPHS = 2
"""Of a layer, for each holds memory."""

Steps = Callable[..., Any]
"""Tensors in; one tensor or several out. Automatic differentiation goes through it."""


def run_steps(layer: nn.Module, steps: Steps, *tensors: Tensor) -> Any:
    """Run ``steps(*tensors)``, replayed from a graph of this layer where the layer trains on a GPU.

    Args:
        layer: the layer that owns the graphs, one for each set of shapes.
        steps: a differentiable function of tensors.
        *tensors: its arguments; their first decides the device.
    """
    if not layer.training or not can_capture(tensors[0].device):
        return steps(*tensors)
    if layer not in _graphs_of_layer:
        _graphs_of_layer[layer] = LayerGraphs(record)
    return _graphs_of_layer[layer].run(steps, *tensors)


def can_capture(device: torch.device) -> bool:
    """Return whether this is the current GPU, and no capture is under way there."""
    if device.type != "cuda" or device.index != torch.cuda.current_device():
        return False
    return not torch.cuda.is_current_stream_capturing()


def record(steps: Steps, tensors: tuple[Tensor, ...]) -> Steps:
    """Record ``steps`` and its gradient on these tensors' memory, and return their replay."""
    # A capture that fails may leave its own stream as the current one; this puts the old one back.
    with torch.cuda.stream(torch.cuda.current_stream()):
        return torch.cuda.make_graphed_callables(steps, tensors)


class LayerGraphs:
    """The graphs of one layer, and the decision for each call whether one of them may serve.

    Args:
        capture: `record`, or what does the same elsewhere.
    """

    def __init__(self, capture: Callable[[Steps, tuple[Tensor, ...]], Steps]) -> None:
        self.capture = capture
        self.graphs: dict[tuple[Any, ...], _Graph] = {}
        self.failed = False
        self.last_key: tuple[Any, ...] = ()
        self.calls_in_a_row = 0
        self.weights_at: list[int] = []

    def run(self, steps: Steps, *tensors: Tensor) -> Any:
        """Run ``steps(*tensors)``; parameters among the tensors are read in place, others are copied."""
        if self.failed or not torch.is_grad_enabled() or not any(part.requires_grad for part in tensors):
            return steps(*tensors)
        graph = self._graph(steps, tensors)
        return graph(*tensors) if graph is not None and graph.is_free() else steps(*tensors)

    def _graph(self, steps: Steps, tensors: tuple[Tensor, ...]) -> "_Graph | None":
        weights_at = [part.data_ptr() for part in tensors if isinstance(part, nn.Parameter)]
        if weights_at != self.weights_at:
            self.graphs.clear()
            self.weights_at, self.calls_in_a_row = weights_at, 0
        key = tuple((part.shape, part.dtype, part.device, part.requires_grad) for part in tensors)
        self.calls_in_a_row = self.calls_in_a_row + 1 if key == self.last_key else 1
        self.last_key = key
        wanted = self.calls_in_a_row > CALLS_BEFORE_CAPTURE and len(self.graphs) < MOST_GRAPHS
        if key not in self.graphs and wanted:
            self._add(key, steps, tensors)
        return self.graphs.get(key)

    def _add(self, key: tuple[Any, ...], steps: Steps, tensors: tuple[Tensor, ...]) -> None:
        try:
            self.graphs[key] = _Graph(self.capture(steps, tuple(_own_memory(part) for part in tensors)))
        except Exception as problem:  # whatever it is, the loop as written still runs
            self.failed = True
            self.graphs.clear()
            reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
            warnings.warn(f"a recurrent layer runs without CUDA graphs: {reason}", stacklevel=2)


class _Graph:
    """A record that is replayed only when nothing needs the memory of its last replay any more."""

    def __init__(self, replay: Steps) -> None:
        self.replay = replay
        self.lease: Callable[[], _ReplayToken | None] = lambda: None

    def is_free(self) -> bool:
        return self.lease() is None

    def __call__(self, *tensors: Tensor) -> Any:
        lease = _ReplayToken()
        self.lease = weakref.ref(lease)
        lend: Steps = _GradientCopy.apply
        with saved_tensors_hooks(lambda nothing: (lease, nothing), lambda held: held[1]):
            lent = iter(lend(*(part for part in tensors if part.requires_grad)))
        results = self.replay(*(next(lent) if part.requires_grad else part for part in tensors))
        return results.clone() if isinstance(results, Tensor) else tuple(part.clone() for part in results)


class _ReplayToken:
    """Held beside a saved tensor, and so for as long as a backward pass may still come."""


class _GradientCopy(torch.autograd.Function):
    """The identity for tensors that enter a graph; their gradients leave its memory as copies.

    Otherwise a parameter's ``grad`` would be memory of the graph, which the next replay overwrites.
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(torch.empty(0))
        return tuple(part.detach() for part in tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        _ = ctx.saved_tensors  # raises where an earlier pass has let the memory go
        return tuple(None if grad is None else grad.clone() for grad in grads)


def _own_memory(part: Tensor) -> Tensor:
    """Return the memory that a record reads: a parameter's own, or a copy for the inputs of later calls."""
    if not isinstance(part, nn.Parameter):
        part = part.clone(memory_format=torch.contiguous_format)
    return part.detach().requires_grad_(part.requires_grad)


# Beside the layers, not in them: nothing of this is saved, copied or moved with a layer, and it goes with it.
_graphs_of_layer: "weakref.WeakKeyDictionary[nn.Module, LayerGraphs]" = weakref.WeakKeyDictionary()
