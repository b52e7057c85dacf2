"""The kernels that train recurrent layers and a head, for the record and the log of a run."""

from collections.abc import Mapping

import torch

from models.gpu_kernels.heads import has_kernel
from models.recurrent.cells import load
from models.recurrent.stack import RecurrentStack
from pipeline.model.build import Network

_SHOWN = {"recurrent_kernels": "recurrent layers", "head_kernels": "output distribution"}


def describe_kernels(
    network: Network, device: torch.device, precision: str, lanes: int, steps: int
) -> dict[str, str]:
    """Return which kernels train the recurrent layers and the head, and why where they are torch's.

    Args:
        network: the network that is trained.
        device: its device.
        precision: `train.precision`.
        lanes: sequences of an update.
        steps: steps of each.
    """
    stack = next(part for part in network.modules() if isinstance(part, RecurrentStack))
    mixed = precision == "bfloat16"
    on_gpu = device.type == "cuda"
    recurrent = (_on_gpu if on_gpu else _on_cpu)(stack, device, mixed, lanes, steps)
    why_head = load("models.fused_heads.choice:why_torch")(network.head, device)
    head = "Triton" if has_kernel(network.head, device) else _name("compiled", why_head)
    return {"recurrent_kernels": recurrent, "head_kernels": head}


def _on_cpu(stack: RecurrentStack, device: torch.device, mixed: bool, lanes: int, steps: int) -> str:
    kind = next(stack.layers.parameters()).dtype
    reason = load("models.fused.choice:why_torch")(stack.cell.compiled, device, kind, mixed)
    if reason is None and lanes * steps < load("models.fused.choice:FEWEST_STEPS"):
        reason = f"an update of {lanes * steps} steps is too short for compiled loops"
    return _name("compiled", reason)


def _on_gpu(stack: RecurrentStack, device: torch.device, mixed: bool, lanes: int, steps: int) -> str:
    weights, kind = next(stack.layers.parameters()), stack.cell.kernels
    reason = load("models.gpu_recurrent.choice:why_torch")(kind, device, weights.dtype, stack.hidden_size)
    if reason is None and weights.device.type == "cuda":
        untrusted = load("models.gpu_recurrent.choice:why_untrusted")
        found = (untrusted(kind, layer, mixed, lanes) for layer in stack.layers)
        reason = next(filter(None, found), None)
    return _name("Triton", reason)


def notices_of_kernels(facts: Mapping[str, str], device: torch.device) -> list[str]:
    """Return a line about each part that trains in torch's kernels on a CPU, where compiled loops are faster.

    Args:
        facts: see `describe_kernels`.
        device: of the network.
    """
    if device.type != "cpu":
        return []
    found = {shown: facts[name].partition(": ")[2] for name, shown in _SHOWN.items()}
    return [f"training of the {part} runs in PyTorch's kernels: {why}" for part, why in found.items() if why]


def _name(own: str, reason: str | None) -> str:
    return own if reason is None else f"torch: {reason}"
