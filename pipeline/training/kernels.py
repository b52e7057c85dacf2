"""The kernels that a training's recurrent layers and its head run in, for the record of the run."""

import torch

from models.recurrent.cells import load
from models.recurrent.stack import RecurrentStack
from pipeline.model.build import Network


def describe_kernels(network: Network, device: torch.device, precision: str) -> dict[str, str]:
    """Return which kernels train the recurrent layers and the head, and why where they are torch's.

    Args:
        network: the network that is trained.
        device: its device.
        precision: `train.precision`.
    """
    stack = next(part for part in network.modules() if isinstance(part, RecurrentStack))
    weights = next(stack.layers.parameters())
    why_torch = load("models.fused.choice:why_torch")
    reason = why_torch(stack.cell.compiled, device, weights.dtype, precision == "bfloat16")
    why_head = load("models.fused_heads.choice:why_torch")(network.head, device)
    return {"recurrent_kernels": _name(reason), "head_kernels": _name(why_head)}


def _name(reason: str | None) -> str:
    return "compiled" if reason is None else f"torch: {reason}"
