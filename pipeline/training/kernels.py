"""The kernels that train recurrent layers and a head, for the record and the log of a run."""

from collections.abc import Mapping

import torch

from models.gpu_kernels.heads import has_kernel
from models.recurrent.cells import load
from models.recurrent.stack import RecurrentStack
from pipeline.model.build import Network

_SHOWN = {"recurrent_kernels": "recurrent layers", "head_kernels": "output distribution"}


def describe_kernels(network: Network, device: torch.device, precision: str, steps: int) -> dict[str, str]:
    """Return which kernels train the recurrent layers and the head, and why where they are torch's.

    Args:
        network: the network that is trained.
        device: its device.
        precision: `train.precision`.
        steps: steps of an update, over all sequences.
    """
    stack = next(part for part in network.modules() if isinstance(part, RecurrentStack))
    weights = next(stack.layers.parameters())
    why_torch = load("models.fused.choice:why_torch")
    reason = why_torch(stack.cell.compiled, device, weights.dtype, precision == "bfloat16")
    if reason is None and steps < load("models.fused.choice:FEWEST_STEPS"):
        reason = f"an update of {steps} steps is too short for compiled loops"
    why_head = load("models.fused_heads.choice:why_torch")(network.head, device)
    head = "Triton" if has_kernel(network.head, device) else _name(why_head)
    return {"recurrent_kernels": _name(reason), "head_kernels": head}


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


def _name(reason: str | None) -> str:
    return "compiled" if reason is None else f"torch: {reason}"
