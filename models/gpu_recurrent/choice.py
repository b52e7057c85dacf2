"""The choice for each call of a recurrent layer on a GPU between the kernels here and torch's own."""

import copy
import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from models.fused.choice import fits, torch_kernels_requested, weights_of
from models.gpu_kernels import operations
from models.gpu_recurrent.cells import KERNEL_CELLS, tiles_of
from models.gpu_recurrent.layer import run_layer

MOST_WEIGHTS = 4 * 256 * 256
"""Numbers of U up to which the kernels are used: a program reads them all for each step."""

TOLERANCE = {False: 0.02, True: 0.1}
"""Largest difference from torch's kernels, relative to the largest value: in TensorFloat-32, in bfloat16."""


def largest_size(kind: str) -> int:
    """Return the most units of a layer whose kernels are used, for a cell whose gates read the state."""
    return math.isqrt(MOST_WEIGHTS // KERNEL_CELLS[kind].gates)


def why_torch(kind: str | None, device: torch.device, precision: torch.dtype, size: int) -> str | None:
    """Return why a layer runs in torch's own kernels; None where it runs in those of this package.

    Args:
        kind: name of the cell's kind, if it has one.
        device: of the weights and the inputs.
        precision: of the weights and the inputs.
        size: H.
    """
    if kind not in KERNEL_CELLS:
        return "the cell has no kernel"
    if device.type != "cuda":
        return f"the device is {device.type}"
    if not operations.has_kernels(device):
        return "Triton cannot compile here, it needs a C compiler"
    if precision != torch.float32:
        return f"the weights are {str(precision).removeprefix('torch.')}"
    if KERNEL_CELLS[kind].reads_state and size > largest_size(kind):
        return f"{size} units are more than {largest_size(kind)}"
    return "torch's kernels were requested" if torch_kernels_requested() else None


def run_kernels(kind: str, layer: nn.Module, inputs: Tensor, state: Any) -> tuple[Tensor, Any] | None:
    """Run a layer in one kernel each way, where that applies.

    A single step is left to torch: it reads the weights once in any case.

    Args:
        kind: name of the cell's kind.
        layer: holds the weights; called as torch's layers are with ``batch_first=True``.
        inputs: (B, T, D).
        state: the state before, (1, B, H), or a pair of these.

    Returns:
        What the layer returns; None where the layer itself must run.
    """
    weights, size = weights_of(layer), size_of(layer)
    if why_torch(kind, inputs.device, weights.bias.dtype, size) is not None:
        return None
    mixed = torch.is_autocast_enabled(inputs.device.type)
    parts = state if isinstance(state, tuple) else (state,)
    if mixed:
        inputs, parts = inputs.float(), tuple(part.float() for part in parts)
    if not fits(weights, size, inputs, parts) or inputs.shape[1] == 1:
        return None
    if why_untrusted(kind, layer, mixed, len(inputs)) is not None:
        return None
    hidden, last = run_layer(kind, weights, inputs, tuple(part[0] for part in parts), mixed)
    end = hidden[None, :, -1].clone()
    return hidden, (end if last is None else (end, last[None]))


def size_of(layer: nn.Module) -> int:
    """Return the units of a layer, H."""
    size: Any = layer.hidden_size
    return int(size)


_found: dict[tuple[Any, ...], str | None] = {}


def why_untrusted(kind: str, layer: nn.Module, half: bool, batch: int) -> str | None:
    """Return why the kernels must not run this layer: on this device they fail, or differ from torch's.

    The kernels are compiled on the user's machine, for a device on which they may never have run. So the
    first layer of each size is compared with torch's kernels once, at a few steps. So is each other division
    of its units among programs, which depends on the batch.

    Args:
        kind: name of the cell's kind.
        layer: on a GPU.
        half: whether recurrent products are in bfloat16.
        batch: B.
    """
    weights = weights_of(layer)
    precision, device = torch.get_float32_matmul_precision(), weights.bias.device
    tiles = tiles_of(kind, batch, size_of(layer), half, device)
    key: tuple[Any, ...] = (kind, tuple(weights.weight_ih.shape), half, precision, device)
    key += (tiles.columns, tiles.parts, weights.second_bias is None, weights.peephole is None)
    if key not in _found:
        if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
            return "a graph is being captured"
        try:
            with torch.inference_mode(False), torch.enable_grad():
                difference = _difference(kind, layer, half, batch)
            close = difference <= TOLERANCE[half]
            _found[key] = None if close else f"they differ from torch's by {difference:.2g}"
        except Exception as problem:  # whatever it is, torch's kernels still run
            _found[key] = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        if _found[key] is not None:
            warnings.warn(f"recurrent layers run without Triton's kernels: {_found[key]}", stacklevel=2)
    return _found[key]


def _difference(kind: str, layer: nn.Module, half: bool, batch: int) -> float:
    """Return the largest relative difference of outputs and gradients at a few steps."""
    layer = copy.deepcopy(layer).requires_grad_().train()  # otherwise cuDNN's layers do not go back
    if isinstance(layer, nn.RNNBase):
        layer.flatten_parameters()  # the copy's lie apart, of which cuDNN would warn
    weights = weights_of(layer)
    width, size = weights.weight_ih.shape[1], size_of(layer)
    parts = 2 if KERNEL_CELLS[kind].has_cell else 1

    def waves(*shape: int) -> Tensor:
        at = torch.arange(math.prod(shape), device=weights.bias.device, dtype=torch.float32)
        return torch.sin(at).view(shape).requires_grad_()

    inputs, state = waves(batch, 3, width), [waves(1, batch, size) for _ in range(parts)]
    with torch.autocast(inputs.device.type, enabled=False):
        ours, _ = run_layer(kind, weights, inputs, tuple(part[0] for part in state), half)
        theirs, _ = layer(inputs, tuple(state) if parts > 1 else state[0])
        wanted = [inputs, *state, *layer.parameters()]
        pairs = zip(
            [ours, *torch.autograd.grad((ours * waves(*ours.shape)).sum(), wanted)],
            [theirs, *torch.autograd.grad((theirs * waves(*ours.shape)).sum(), wanted)],
            strict=True,
        )
        with torch.no_grad():
            found = [(one - other).abs().max() / (other.abs().max() + 1e-6) for one, other in pairs]
            return float(torch.stack(found).nan_to_num(math.inf).max())
