"""Leaving out components changes the exact probability by no more than is promised, on the nastiest sound."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.distributions.mixture import DiagonalMixture, Mixture
from models.distributions.normal import log_normal_interval
from models.distributions.pruned import FEW, TOLERANCE
from pipeline.config.inputs import WaveformConfig
from pipeline.data.batching import batches, whole_plan
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


def of_all_components(mixture: Mixture, value: Tensor, lower: Tensor, upper: Tensor, mask: Any) -> Tensor:
    """The sum over every component, with nothing left out: slow, and obviously right."""
    exact = mixture.double()
    mean = exact.conditional_mean(value.double())
    below = (lower.double().unsqueeze(-2) - mean) / exact.scale
    above = (upper.double().unsqueeze(-2) - mean) / exact.scale
    of_outputs = log_normal_interval(below, above)
    if mask is not None:
        of_outputs = of_outputs.masked_fill(~mask.unsqueeze(-2), 0.0)
    return torch.logsumexp(torch.log_softmax(exact.logits, -1) + of_outputs.sum(-1), -1)


def assert_kept(found: Tensor, exact: Tensor) -> None:
    """Less by the tolerance at most, and never more."""
    assert found.isfinite().all()
    rounding = 1e-12 * exact.abs() + 1e-11
    assert (found <= exact + rounding).all()
    assert (found >= exact - 1.01 * TOLERANCE - rounding).all()


@pytest.mark.parametrize("sound", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize("covariance", ["diagonal", "full", "autoregressive"])
@torch.inference_mode()
def test_bits_of_nasty_sounds_are_those_of_all_components(sound: NDArray[np.int16], covariance: str) -> None:
    config = WaveformConfig(sample_rate=8_000)
    model = tiny_model(config, mixture_components=20, covariance=covariance, scale_floor=0.1)
    spread_out(model.network.head)
    data, normaliser = join_rows([sound[:, None]]), model.normaliser()
    plan = whole_plan(np.array([300]), 1, 300)
    (batch,) = batches(plan, data, model.framing, normaliser)
    mixture, _ = model.network(batch.inputs, model.network.initial_state(1))
    asked = (batch.targets, *normaliser.interval(batch.stored), batch.mask)
    exact = of_all_components(mixture, *asked)
    found = mixture.interval_log_prob(*asked)
    assert (found <= 0).all()
    assert_kept(found, exact.clamp(max=0))


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
        exact = of_all_components(mixture, middle, lower, upper, absent)
        assert_kept(mixture.interval_log_prob(middle, lower, upper, absent), exact)


def random_mixture(seed: int) -> tuple[DiagonalMixture, torch.Tensor, torch.Tensor]:
    """200 distributions with scales over 6 orders of magnitude; some intervals have one end only."""
    torch.manual_seed(seed)
    shape = (200, 15, 8)
    scale = torch.exp(torch.empty(shape, dtype=torch.float64).uniform_(-7, 7))
    mean = scale * torch.empty(shape, dtype=torch.float64).normal_(0, 3)
    mixture = DiagonalMixture(3 * torch.randn(shape[:2], dtype=torch.float64), mean, scale)
    middle = torch.randn(200, 8, dtype=torch.float64)
    width = torch.exp(torch.empty(200, 8, dtype=torch.float64).uniform_(-5, 2))
    lower, upper = middle - width, middle + width
    ends = torch.rand(200, 8)
    return mixture, lower.masked_fill(ends < 0.1, -torch.inf), upper.masked_fill(ends > 0.9, torch.inf)


def test_a_component_whose_bound_is_lower_but_which_is_likelier_is_found() -> None:
    """The bound of the first is 78 nats too high, that of the second is tight and 30 nats lower.

    The others, which make them more than a few, are far away.
    """
    scale = torch.tensor([0.4, 1_000.0, *[0.4] * FEW], dtype=torch.float64)[:, None].expand(-1, 10)
    near = 2 * (500_003 + math.log(1e-3 / math.sqrt(2 * math.pi)))
    places = [-400.5, -0.5 - 1_000 * math.sqrt(near), *[-4_000.0] * FEW]
    mean = torch.tensor(places, dtype=torch.float64)[:, None].expand(-1, 10)
    mixture = DiagonalMixture(torch.zeros(2 + FEW, dtype=torch.float64), mean, scale)
    zeros = torch.zeros(10, dtype=torch.float64)
    exact = of_all_components(mixture, zeros, zeros - 0.5, zeros + 0.5, None)
    found = mixture.interval_log_prob(zeros, zeros - 0.5, zeros + 0.5)
    assert float(found) == pytest.approx(float(exact), abs=1e-5)
    first = DiagonalMixture(mixture.logits[:1], mean[:1], scale[:1])
    alone = of_all_components(first, zeros, zeros - 0.5, zeros + 0.5, None)
    assert float(exact) > float(alone) - math.log(2 + FEW) + 30


def test_one_set_of_weights_and_scales_serves_many_distributions() -> None:
    """As a linear predictor has them: the mean of all components differs from sample to sample alone."""
    mixture, lower, upper = random_mixture(0)
    shared = DiagonalMixture(mixture.logits[0], mixture.mean[:, :1, :1], mixture.scale[0, :, :1])
    lower, upper = lower[:, :1], upper[:, :1]
    middle = torch.where(lower.isfinite() & upper.isfinite(), (lower + upper) / 2, 0.0)
    exact = of_all_components(shared, middle, lower, upper, None)
    assert_kept(shared.interval_log_prob(middle, lower, upper), exact)
