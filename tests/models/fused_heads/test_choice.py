"""Which heads train in one compiled pass, and the reasons for torch's operations."""

import pytest
import torch
from torch import nn

from models.distributions.notes import BernoulliHead, NadeHead
from models.fused.choice import torch_kernels
from models.fused_heads.choice import compiled_head, why_torch
from models.heads import GaussianMixtureHead


class OwnHead(GaussianMixtureHead):
    """A head of a user's own may compute anything."""


@pytest.mark.parametrize(
    ("head", "device", "reason"),
    [
        (NadeHead(4, 3, 2), "cpu", "no compiled form"),
        (OwnHead(4, 3, 2, 0.1), "cpu", "no compiled form"),
        (BernoulliHead(4, 3), "cuda", "device is cuda"),
        (BernoulliHead(4, 3).double(), "cpu", "weights are float64"),
    ],
)
def test_the_reason_for_torchs_operations_is_named(head: nn.Module, device: str, reason: str) -> None:
    assert reason in (why_torch(head, torch.device(device)) or "")


def test_comparisons_can_request_torchs_operations() -> None:
    head = BernoulliHead(4, 3)
    assert compiled_head(head) is not None
    with torch_kernels():
        assert compiled_head(head) is None
