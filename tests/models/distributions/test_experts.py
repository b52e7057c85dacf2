"""Mixtures of logistic experts are distributions, in density and over integers."""

import math

import pytest
import torch
from torch import Tensor

from models.distributions.experts import UNIFORM_SHARE, ExpertMixture, logistic_interval

STEP = 1e-3


def mixture(seed: int = 0, scale: float = 0.05) -> ExpertMixture:
    """Of a step of 2 outputs with 4 experts each."""
    generator = torch.Generator().manual_seed(seed)
    logits, mean, width = (torch.randn(1, 2, 4, generator=generator).double() for _ in range(3))
    return ExpertMixture(logits, 0.1 * mean, scale * width.exp(), STEP)


def integers() -> tuple[Tensor, Tensor, Tensor]:
    """All 16-bit integers as normalised values (65536, 2), and the bounds of their intervals."""
    value = STEP * torch.arange(-32_768, 32_768.0, dtype=torch.float64)[:, None].expand(-1, 2)
    lower, upper = value - STEP / 2, value + STEP / 2
    lower, upper = lower.clone(), upper.clone()
    lower[0], upper[-1] = -math.inf, math.inf
    return value, lower, upper


@pytest.mark.parametrize("scale", [1e-5, 0.05, 10.0])
def test_the_probabilities_of_all_integers_add_up_to_one(scale: float) -> None:
    found = mixture(scale=scale).conditional_interval_log_prob(*integers()).exp().sum(0)
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0, atol=1e-9)


def test_the_density_integrates_to_one() -> None:
    """The range of the uniform share is wider than what is summed here, by a known factor."""
    value = torch.arange(-4, 4, 1e-4, dtype=torch.float64)[:, None].expand(-1, 2)
    one_of_two = torch.tensor([True, False]).expand(len(value), -1)
    total = 1e-4 * mixture().log_prob(value, one_of_two).exp().sum()
    missing = UNIFORM_SHARE * (1 - 8 / (2**16 * STEP))
    assert float(total) == pytest.approx(1 - missing, abs=1e-6)


def test_probabilities_of_narrow_intervals_are_density_times_width() -> None:
    value = torch.tensor([[0.02, -0.1]], dtype=torch.float64)
    width = 1e-6
    found = mixture().interval_log_prob(value, value - width / 2, value + width / 2)
    expected = mixture().log_prob(value) + 2 * math.log(width)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_the_most_surprising_integer_costs_the_uniform_share() -> None:
    value = torch.full((1, 2), 30.0, dtype=torch.float64)
    found = mixture(scale=1e-4).conditional_interval_log_prob(value, value - STEP / 2, value + STEP / 2)
    torch.testing.assert_close(found, torch.full_like(found, math.log(UNIFORM_SHARE / 2**16)))


def test_masked_outputs_count_nothing() -> None:
    value = torch.tensor([[0.02, -0.1]], dtype=torch.float64)
    bounds = value - STEP / 2, value + STEP / 2
    mask = torch.tensor([[True, False]])
    each = mixture().conditional_interval_log_prob(value, *bounds)
    torch.testing.assert_close(mixture().interval_log_prob(value, *bounds, mask), each[:, 0])


def test_gradients_are_those_of_differences() -> None:
    parts = [part.requires_grad_() for part in (mixture().logits, mixture().mean, mixture().scale)]
    value = torch.tensor([[0.02, -0.1]], dtype=torch.float64)

    def likelihoods(logits: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        found = ExpertMixture(logits, mean, scale, STEP)
        return found.log_prob(value), found.discrete_log_prob(value, value - STEP / 2, value + STEP / 2)

    assert torch.autograd.gradcheck(likelihoods, parts)


def test_gradients_at_the_ends_of_the_range_are_finite() -> None:
    parts = [part.float().requires_grad_() for part in (mixture().logits, mixture().mean, mixture().scale)]
    value, lower, upper = (part[[0, -1]].float() for part in integers())
    ExpertMixture(*parts, STEP).discrete_log_prob(value, lower, upper).sum().backward()
    assert all(torch.isfinite(part.grad).all() for part in parts if part.grad is not None)


@pytest.mark.parametrize(("below", "above"), [(-1.0, 1.0), (-30.0, -29.0), (29.0, 30.0), (700.0, 701.0)])
def test_intervals_keep_their_digits_in_both_tails(below: float, above: float) -> None:
    below_, above_ = torch.tensor([below, above], dtype=torch.float64)
    found = float(logistic_interval(below_, above_, above_ - below_))
    near = min(abs(below), abs(above))
    # Far out, a logistic distribution is exponential.
    tail = -near + math.log1p(-math.exp(-(above - below))) if near > 20 else math.log(math.tanh(0.5))
    assert found == pytest.approx(tail, abs=1e-8)
