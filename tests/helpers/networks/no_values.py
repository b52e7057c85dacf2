"""Trainings on tensors of torch's device `meta`, which have shapes and types but no values.

They take the place of a GPU: whatever needs a value fails, and each operation and each crossing between
devices is counted. A recurrent layer is replaced by one call forward and one backward, which are not counted:
the tests are about what lies outside the recurrent layers.
"""

import sys
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models.recurrent.cells import Cell
from pipeline.data.dataset import SplitRows
from pipeline.training.averaging import WeightAverage
from pipeline.training.optimiser import make_optimizer
from pipeline.training.step import Training

VIEWS = {
    "view",
    "_unsafe_view",
    "reshape",
    "expand",
    "slice",
    "select",
    "unsqueeze",
    "squeeze",
    "transpose",
    "t",
}
VIEWS |= {"permute", "unfold", "split", "split_with_sizes", "unbind", "alias", "detach", "as_strided"}
VIEWS |= {
    "_reshape_alias",
    "empty",
    "empty_like",
    "empty_strided",
    "new_empty",
    "new_empty_strided",
    "diagonal",
}
"""Operations that start nothing on a device: they only describe memory, or reserve it."""


class Operations(TorchDispatchMode):
    """Notes all operations on a device outside the recurrent layers, and all between devices."""

    def __init__(self, device: str = "meta") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = device
        self.found: list[str] = []
        self.crossings: list[str] = []
        self.inside_recurrent = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        # Fused Adam has no form without values. It changes its arguments and returns nothing.
        unknown = self.device == "meta" and name.startswith("_fused_adam")
        result = None if unknown else func(*args, **(kwargs or {}))
        given = [part for part in _flat((args, tuple((kwargs or {}).values()))) if isinstance(part, Tensor)]
        made = [part for part in _flat(result) if isinstance(part, Tensor)]
        if len({part.device for part in [*given, *made]}) > 1:
            self.crossings.append(str(func))
        on_device = any(part.device.type == self.device for part in [*given, *made])
        if on_device and not self.inside_recurrent and name not in VIEWS:
            shapes = [tuple(part.shape) for part in [*given, *made]]
            self.found.append(f"{func} {shapes}")
        return result


def _flat(value: Any) -> list[Any]:
    return [each for part in value for each in _flat(part)] if isinstance(value, list | tuple) else [value]


def training_on_a_gpu(training: Training) -> Training:
    """The same training on a GPU without values; after `without_values`."""
    for module in training.network.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = torch.nn.Parameter(torch.empty(weight.shape, device="meta"))
        for name, buffer in module._buffers.items():
            module._buffers[name] = torch.empty(buffer.shape, device="meta")  # type: ignore[union-attr]
    for name, moment in vars(training.normaliser).items():
        if isinstance(moment, Tensor):
            setattr(training.normaliser, name, torch.empty(moment.shape, device="meta"))
    rows = torch.empty(training.data.rows.shape, dtype=training.data.rows.dtype, device="meta")
    return replace(
        training,
        device=torch.device("meta"),
        optimizer=make_optimizer(training.network.parameters(), training.config),
        average=WeightAverage(training.network, training.config.ema) if training.average else None,
        data=SplitRows(
            rows,
            training.data.offset,
            training.data.length,
            known_unused=tuple(training.data.unused_bits.tolist()),
        ),
    )


def without_values(monkeypatch: pytest.MonkeyPatch) -> Operations:
    """Replace each recurrent layer by one call, and return the counter of operations outside it."""
    operations = Operations()

    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, inputs: Tensor, hidden: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
            ctx.save_for_backward(inputs, hidden, *others)
            operations.inside_recurrent = True
            states = [torch.empty_like(hidden) for _ in range(ctx_parts[0])]
            operations.inside_recurrent = False
            return inputs.new_empty(*inputs.shape[:2], hidden.shape[-1]), *states

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
            return tuple(torch.empty_like(part) for part in ctx.saved_tensors)

    ctx_parts = [1]

    def run_layer(cell: Cell, layer: Any, inputs: Tensor, state: Any) -> Any:
        parts = state if isinstance(state, tuple) else (state,)
        ctx_parts[0] = len(parts)
        hidden, *after = Layer.apply(inputs, *parts, *layer.parameters())  # type: ignore[no-untyped-call]
        return hidden, tuple(after) if isinstance(state, tuple) else after[0]

    monkeypatch.setattr(Cell, "run_layer", run_layer)
    monkeypatch.setattr(
        torch, "autocast", lambda *_, **__: nullcontext()
    )  # knows no such device; all is float32
    monkeypatch.setattr("models.gpu_kernels.operations.has_kernels", lambda _: True)
    # Fused Adam asks for a device on which it would run.
    adam = sys.modules["torch.optim.adam"]
    monkeypatch.setattr(adam, "_device_dtype_check_for_fused", lambda *_: None)
    return operations
