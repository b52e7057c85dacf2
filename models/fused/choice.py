"""The choice for each call of a recurrent layer between compiled loops and torch's own kernels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from models.fused.cells import COMPILED_CELLS
from models.fused.half import has_half_products
from models.fused.layer import Call, Weights, run_layers
from models.fused.tiles import has_multiply_add

FEWEST_STEPS = 16
"""Steps over all sequences from which on the compiled loops are faster, since each call packs the weights."""

_switch = {"on": True}


@contextmanager
def torch_kernels() -> Iterator[None]:
    """Compute with torch's own kernels inside, for comparisons."""
    before = _switch["on"]
    _switch["on"] = False
    try:
        yield
    finally:
        _switch["on"] = before


def torch_kernels_requested() -> bool:
    """Return whether the caller is inside `torch_kernels`."""
    return not _switch["on"]


def why_torch(kind: str | None, device: torch.device, precision: torch.dtype, mixed: bool) -> str | None:
    """Return why a layer runs in torch's own kernels; None where it runs in compiled loops.

    Args:
        kind: name of the cell's compiled kind, if it has one.
        device: of the weights and the inputs.
        precision: of the weights and the inputs.
        mixed: whether products are in bfloat16.
    """
    if kind not in COMPILED_CELLS:
        return "the cell has no compiled form"
    if device.type != "cpu":
        return f"the device is {device.type}"
    if precision != torch.float32:
        return f"the weights are {str(precision).removeprefix('torch.')}"
    if mixed and not has_half_products():
        return "the processor has no products of bfloat16"
    if not has_multiply_add():
        return "the processor has no fused multiply-add"
    return None if _switch["on"] else "torch's kernels were requested"


def run_compiled(kind: str, layer: nn.Module, inputs: Tensor, state: Any) -> tuple[Tensor, Any] | None:
    """Run a layer in compiled loops, where they apply and are faster.

    Args:
        kind: name of the cell's compiled kind.
        layer: holds the weights; called as torch's layers are with ``batch_first=True``.
        inputs: (B, T, D).
        state: the state before, (1, B, H), or a pair of these.

    Returns:
        What the layer returns; None where the layer itself must run.
    """
    return run_compiled_layers(kind, [layer], [inputs], [state])[0]


def run_compiled_layers(
    kind: str, layers: Sequence[nn.Module], inputs: Sequence[Tensor], states: Sequence[Any]
) -> list[tuple[Tensor, Any] | None]:
    """Do for each of some layers what `run_compiled` does, in one pass."""
    mixed = torch.is_autocast_enabled("cpu")
    calls = [_call(kind, *each, mixed) for each in zip(layers, inputs, states, strict=True)]
    found = iter(run_layers(COMPILED_CELLS[kind], [call for call in calls if call is not None], mixed))
    return [None if call is None else _as_layers_return(*next(found)) for call in calls]


def _call(kind: str, layer: nn.Module, inputs: Tensor, state: Any, mixed: bool) -> Call | None:
    """Return a layer with what it is run on; None where it must run itself."""
    parts = state if isinstance(state, tuple) else (state,)
    if mixed:
        inputs, parts = inputs.float(), tuple(part.float() for part in parts)
    if why_torch(kind, inputs.device, inputs.dtype, mixed) is not None:
        return None
    weights = weights_of(layer)
    if (
        not fits(weights, weights.weight_hh.shape[1], inputs, parts)
        or inputs.shape[0] * inputs.shape[1] < FEWEST_STEPS
    ):
        return None
    return Call(weights, inputs, tuple(part[0] for part in parts))


def _as_layers_return(hidden: Tensor, last: Tensor | None) -> tuple[Tensor, Any]:
    end = hidden[None, :, -1].clone()
    return hidden, (end if last is None else (end, last[None]))


def weights_of(layer: nn.Module) -> Weights:
    """Return the weights of one of torch's layers, or of a layer with one bias and perhaps peepholes."""
    if isinstance(layer, nn.RNNBase):
        names = (*(f"{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")), "")
    else:
        names = ("weight_ih", "weight_hh", "bias", "", "peephole")
    return Weights._make(getattr(layer, name, None) for name in names)


def fits(weights: Weights, size: int, inputs: Tensor, state: tuple[Tensor, ...]) -> bool:
    """Return whether shapes and types are right; where not, the layer itself explains what is wrong."""
    width = weights.weight_ih.shape[1]
    if inputs.dim() != 3 or inputs.shape[2] != width or not inputs.numel():
        return False
    present = [part for part in (*weights, *state) if part is not None]
    if any(part.dtype != inputs.dtype or part.device != inputs.device for part in present):
        return False
    return all(part.shape == (1, inputs.shape[0], size) for part in state)
