"""The output head gives a mixture whose scales keep their bounds, so that training never explodes."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.heads import GaussianMixtureHead

STEP = 1 / 32_768


def digital_silence(updates: int) -> Tensor:
    return torch.zeros(updates, 64, 10)


def full_scale_square_wave(updates: int) -> Tensor:
    return (torch.arange(updates * 640) // 20 % 2 * 2.0 - 1).reshape(updates, 64, 10)


@pytest.mark.parametrize("sound", [digital_silence, full_scale_square_wave])
@pytest.mark.parametrize("reduced", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("rate", [1e-2, 1.0])
def test_training_on_constant_sound_never_blows_up(sound: object, reduced: bool, rate: float) -> None:
    """Without its floor the loss falls without end here; with it no density passes the floor's own."""
    assert callable(sound)
    torch.manual_seed(0)
    floor = 0.1 * STEP
    head = GaussianMixtureHead(8, 10, 20, floor)
    optimizer = torch.optim.Adam(head.parameters(), lr=rate)
    lowest = 10 * math.log(floor * math.sqrt(2 * math.pi))
    losses = []
    for target in sound(150):
        hidden = torch.tanh(torch.randn(64, 8))
        hidden[:, 0] = target[:, 0]
        with torch.autocast("cpu", torch.bfloat16, reduced):
            mixture = head(hidden)
        assert mixture.mean.dtype == torch.float32
        assert float(mixture.scale.detach().min()) >= floor
        loss = -mixture.log_prob(target).mean()
        optimizer.zero_grad()
        loss.backward()
        gradients = torch.cat(
            [weight.grad.flatten() for weight in head.parameters() if weight.grad is not None]
        )
        assert gradients.isfinite().all()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        losses.append(loss.item())
    assert all(math.isfinite(loss) and loss >= lowest for loss in losses)


def test_components_start_at_different_widths() -> None:
    mixture = GaussianMixtureHead(4, 3, 20, 1e-4)(torch.zeros(4))
    widths = mixture.scale[:, 0].detach()
    assert all(narrow < wide for narrow, wide in itertools.pairwise(widths.tolist()))
    assert float(widths[0]) == pytest.approx(0.03, rel=0.01)
    assert float(widths[-1]) == pytest.approx(1.0, rel=0.01)


@settings(max_examples=30)
@given(raw=st.floats(-1e30, 1e30), floor=st.floats(1e-6, 1.0))
def test_no_scale_leaves_its_bounds(raw: float, floor: float) -> None:
    head = GaussianMixtureHead(1, 1, 1, floor)
    with torch.no_grad():
        head.projection.weight.zero_()
        head.projection.bias[2] = raw
    scale = float(head(torch.zeros(1)).scale.detach())
    assert floor * (1 - 1e-6) <= scale <= math.exp(head.MAX_RAW) + floor + 1e-3
