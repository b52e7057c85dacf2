"""The choice for each head between one compiled pass and torch's own operations."""

import torch
from torch import nn

from models.distributions.notes import BernoulliHead
from models.fused.choice import torch_kernels_requested
from models.fused.tiles import has_multiply_add
from models.fused_heads.loss import Head
from models.heads import AutoregressiveMixtureHead, FullMixtureHead, GaussianMixtureHead, MixtureHead

_HEADS = (GaussianMixtureHead, FullMixtureHead, AutoregressiveMixtureHead, BernoulliHead)


def compiled_head(head: nn.Module) -> Head | None:
    """Return a head as the compiled pass reads it, where it trains in one; see `why_torch`."""
    return None if why_torch(head, next(head.parameters()).device) else read_head(head)


def read_head(head: nn.Module) -> Head:
    """Return what the compiled pass reads of one of the heads that have a compiled form."""
    projection = head.projection
    assert isinstance(projection, nn.Linear)
    width = projection.in_features
    if not isinstance(head, MixtureHead):
        return Head((0, projection.out_features, 0, width), projection, None, False, None)
    shape, predictor = (head.components, head.target_size, 0, width), None
    if isinstance(head, AutoregressiveMixtureHead):
        shape = (head.components, head.target_size, head.order, width)
        predictor = head.start, head.basis
    return Head(shape, projection, head.scale_floor, isinstance(head, FullMixtureHead), predictor)


def why_torch(head: nn.Module, device: torch.device) -> str | None:
    """Return why a head trains in torch's own operations on a device; None where in one compiled pass."""
    if type(head) not in _HEADS:
        return "the head has no compiled form"
    if device.type != "cpu":
        return f"the device is {device.type}"
    weight = next(head.parameters())
    if weight.dtype != torch.float32:
        return f"the weights are {str(weight.dtype).removeprefix('torch.')}"
    if not has_multiply_add():
        return "the processor has no fused multiply-add"
    return "torch's kernels were requested" if torch_kernels_requested() else None
