"""Leaving out components changes the exact probability by no more than is promised, on the nastiest sound."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.distributions.mixture import GaussianMixture
from pipeline.config.inputs import WaveformConfig
from pipeline.evaluation.nll import score
from pipeline.scoring.interval_bounds import TOLERANCE, interval_log_prob
from pipeline.scoring.recordings import score_samples
from tests.helpers.builders import join_rows, noise, tiny_model, tone

NASTY = {
    "silence": np.zeros(3_000, np.int16),
    "one step": np.random.default_rng(0).integers(-1, 2, 3_000).astype(np.int16),
    "constant": np.full(3_000, 1_234, np.int16),
    "lowest": np.full(3_000, -32_768, np.int16),
    "square": np.where(np.arange(3_000) % 80 < 40, 32_767, -32_768).astype(np.int16),
    "clipped": noise(3_000, std=40_000.0),
    "tone": tone(3_000),
    "impulse": np.where(np.arange(3_000) == 1_500, 32_767, 0).astype(np.int16),
}


@pytest.mark.parametrize("sound", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize("covariance", ["diagonal", "full", "autoregressive"])
def test_bits_are_those_of_all_components(sound: NDArray[np.int16], covariance: str) -> None:
    config = WaveformConfig(sample_rate=8_000)
    model = tiny_model(config, mixture_components=20, covariance=covariance, scale_floor=0.1)
    spread_out(model.network.head)
    expected = score(
        model.network, join_rows([sound[:, None]]), model.framing, model.normaliser(), exact=True
    )
    found = score_samples(model, [sound])
    assert found.bits_per_sample == pytest.approx(expected.bits_per_sample, rel=1e-5, abs=1e-4)


def spread_out(head: Any) -> None:
    """Components from a tenth of a step wide to wider than all sound, at different places."""
    with torch.no_grad():
        _, places, widths, *_ = head.projection.bias.split(head.sizes)
        places.copy_(torch.linspace(-3, 3, len(places)))
        widths.copy_(torch.linspace(-9, 4, len(widths)))


@pytest.mark.parametrize("seed", range(20))
def test_less_by_the_tolerance_at_most_and_never_more(seed: int) -> None:
    mixture, lower, upper = random_mixture(seed)
    middle = torch.where(lower.isfinite() & upper.isfinite(), (lower + upper) / 2, 0.0)
    mask = torch.rand(lower.shape) < 0.9
    for absent in (None, mask):
        exact = mixture.interval_log_prob(middle, lower, upper, absent)
        found = interval_log_prob(mixture, middle, lower, upper, absent)
        assert found.isfinite().all()
        rounding = 1e-12 * exact.abs() + 1e-12
        assert (found <= exact + rounding).all()
        assert (found >= exact - 1.01 * TOLERANCE - rounding).all()


def random_mixture(seed: int) -> tuple[GaussianMixture, torch.Tensor, torch.Tensor]:
    """200 distributions with scales over 6 orders of magnitude; some intervals have one end only."""
    torch.manual_seed(seed)
    shape = (200, 15, 8)
    scale = torch.exp(torch.empty(shape, dtype=torch.float64).uniform_(-7, 7))
    mean = scale * torch.empty(shape, dtype=torch.float64).normal_(0, 3)
    mixture = GaussianMixture(3 * torch.randn(shape[:2], dtype=torch.float64), mean, scale)
    middle = torch.randn(200, 8, dtype=torch.float64)
    width = torch.exp(torch.empty(200, 8, dtype=torch.float64).uniform_(-5, 2))
    lower, upper = middle - width, middle + width
    ends = torch.rand(200, 8)
    return mixture, lower.masked_fill(ends < 0.1, -torch.inf), upper.masked_fill(ends > 0.9, torch.inf)


def test_a_component_whose_bound_is_lower_but_which_is_likelier_is_found() -> None:
    """The bound of the first is 78 nats too high, that of the second is tight and 30 nats lower."""
    scale = torch.tensor([[0.4], [1_000.0]], dtype=torch.float64).expand(2, 10)
    near = 2 * (500_003 + math.log(1e-3 / math.sqrt(2 * math.pi)))
    mean = torch.tensor([[-400.5], [-0.5 - 1_000 * math.sqrt(near)]], dtype=torch.float64).expand(2, 10)
    mixture = GaussianMixture(torch.zeros(2, dtype=torch.float64), mean, scale)
    zeros = torch.zeros(10, dtype=torch.float64)
    exact = mixture.interval_log_prob(zeros, zeros - 0.5, zeros + 0.5)
    found = interval_log_prob(mixture, zeros, zeros - 0.5, zeros + 0.5)
    assert float(found) == pytest.approx(float(exact), abs=1e-5)
    first = GaussianMixture(mixture.logits[:1], mean[:1], scale[:1])
    assert float(exact) > float(first.interval_log_prob(zeros, zeros - 0.5, zeros + 0.5)) + 30
