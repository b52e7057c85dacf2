"""Full and autoregressive covariance: against torch's own, against slow loops, and as codes for integers."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from models.distributions.correlated_mixtures import (
    AutoregressiveMixture,
    FullCovarianceMixture,
)
from models.distributions.mixture import DiagonalMixture, Mixture
from models.distributions.stability import is_stable, stabilise

KINDS = ["diagonal", "full", "autoregressive"]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def random_mixture(
    kind: str, *batch: int, components: int = 3, size: int = 4, order: int = 3, seed: int = 0
) -> Mixture:
    shape = (*batch, components)
    logits, mean = normal(*shape, seed=seed), normal(*shape, size, seed=seed + 1)
    scale = (0.5 * normal(*shape, size, seed=seed + 2)).exp()
    if kind == "diagonal":
        return DiagonalMixture(logits, mean, scale)
    if kind == "full":
        return FullCovarianceMixture(
            logits, mean, scale, normal(*shape, size * (size - 1) // 2, seed=seed + 3)
        )
    coefficients = 0.2 * normal(*shape, order, seed=seed + 3)
    return AutoregressiveMixture(logits, mean[..., 0], coefficients, scale, normal(*batch, order, seed=seed))


def components(mixture: Mixture) -> MultivariateNormal:
    """Of covariance (I - C)^-1 S^2 (I - C)^-T, where C is what an output takes of another."""
    size = mixture.scale.shape[-1]
    base = mixture.conditional_mean(torch.zeros(*mixture.logits.shape[:-1], size, dtype=torch.float64))
    units = torch.eye(size, dtype=torch.float64)
    taken = torch.stack([mixture.conditional_mean(unit.expand(base[..., 0, :].shape)) for unit in units], -1)
    factor = torch.linalg.inv(units - (taken - base.unsqueeze(-1))) @ torch.diag_embed(mixture.scale)
    return MultivariateNormal(mixture.component_mean(), scale_tril=factor.tril())


def of_torch(mixture: Mixture) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=mixture.logits), components(mixture))


def slow_autoregression(mixture: AutoregressiveMixture, value: Tensor) -> Tensor:
    """Sample by sample, for one distribution over ``value`` (D,)."""
    order, known = mixture.history.shape[-1], torch.cat([mixture.history, value])
    of_components = torch.log_softmax(mixture.logits, -1)
    for k, n in itertools.product(range(len(of_components)), range(len(value))):
        mean = mixture.offset[k]
        for p in range(1, order + 1):
            mean = mean + mixture.coefficients[k, p - 1] * known[order + n - p]
        of_components[k] += Normal(mean, mixture.scale[k, n]).log_prob(value[n])
    return torch.logsumexp(of_components, 0)


# Density


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_is_that_of_torchs_multivariate_normals(kind: str) -> None:
    mixture, value = random_mixture(kind, 5, 2), normal(5, 2, 4, seed=9)
    expected = of_torch(mixture).log_prob(value)
    torch.testing.assert_close(mixture.log_prob(value), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", [1, 4, 9])
def test_the_autoregressive_density_is_that_of_a_slow_loop(order: int) -> None:
    mixture, value = random_mixture("autoregressive", order=order), normal(4, seed=9)
    assert isinstance(mixture, AutoregressiveMixture)
    found = mixture.log_prob(value)
    torch.testing.assert_close(found, slow_autoregression(mixture, value), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_integrates_to_one_and_over_its_last_output_to_the_marginal(kind: str) -> None:
    mixture = random_mixture(kind, size=2)
    along = torch.linspace(-40, 40, 4001, dtype=torch.float64)
    coarse = along[::20]
    grid = torch.cartesian_prod(coarse, along)
    integral = torch.trapezoid(mixture.log_prob(grid).exp().view(len(coarse), -1), along)
    marginal = mixture.log_prob(torch.stack([coarse, coarse], -1), torch.tensor([True, False])).exp()
    torch.testing.assert_close(integral, marginal, rtol=0, atol=1e-9)
    assert float(torch.trapezoid(marginal, coarse)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_with_the_last_outputs_left_out_full_covariance_has_torchs_marginal(kept: int) -> None:
    mixture, value = random_mixture("full", 6), normal(6, 4, seed=9)
    mask = (torch.arange(4) < kept).expand(6, 4)
    whole = components(mixture)
    found = mixture.log_prob(value.masked_fill(~mask, 1e6), mask)
    expected = torch.zeros(6, dtype=torch.float64)
    if kept:
        part = MultivariateNormal(whole.loc[..., :kept], whole.covariance_matrix[..., :kept, :kept])
        mixed = MixtureSameFamily(Categorical(logits=mixture.logits), part)
        expected = mixed.log_prob(value[:, :kept])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradients_are_those_of_finite_differences(kind: str, masked: bool) -> None:
    mixture, value = random_mixture(kind, 2, size=3), normal(2, 3, seed=9)
    mask = torch.tensor([[True, True, False], [True, True, True]]) if masked else None
    parts = [part.requires_grad_() for part in vars(mixture).values()]

    def density(value: Tensor, *parts: Tensor) -> Tensor:
        return type(mixture)(*parts).log_prob(value, mask)

    def probability(*parts: Tensor) -> Tensor:
        return type(mixture)(*parts).discrete_log_prob(value, value - 0.4, value + 0.4, mask)

    assert torch.autograd.gradcheck(density, [value.clone().requires_grad_(), *parts])
    assert torch.autograd.gradcheck(probability, parts)


# Probabilities of integers


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_probabilities_of_all_integer_vectors_sum_to_one(kind: str, size: int) -> None:
    """Of 41 integers the outermost stand for all beyond, as the loudest samples do."""
    alphabet = torch.arange(-20.0, 21.0, dtype=torch.float64)
    value = torch.cartesian_prod(*[alphabet] * size).view(-1, size) / 8
    lower = torch.where(value <= -20 / 8, -torch.inf, value - 1 / 16)
    upper = torch.where(value >= 20 / 8, torch.inf, value + 1 / 16)
    mixture = random_mixture(kind, size=size)
    exact = mixture.interval_log_prob(value, lower, upper)
    assert float(exact.exp().sum()) == pytest.approx(1, abs=1e-12)
    assert float(exact.max()) <= 0
    reduced = type(mixture)(*(part.float() for part in vars(mixture).values()))
    trained = reduced.discrete_log_prob(value.float(), lower, upper)
    assert trained.dtype == torch.float32
    torch.testing.assert_close(trained.double(), exact, rtol=1e-4, atol=1e-4)


# Samples


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_mixtures_moments(kind: str) -> None:
    mixture, count = random_mixture(kind, size=3), 200_000
    expected, parts = of_torch(mixture), components(mixture)
    many = type(mixture)(*(part.expand(count, *part.shape) for part in vars(mixture).values()))
    samples = many.sample(generator=torch.Generator().manual_seed(0))
    apart = parts.loc - expected.mean
    covariances = parts.covariance_matrix + apart[:, :, None] * apart[:, None]
    covariance = (torch.softmax(mixture.logits, -1)[:, None, None] * covariances).sum(0)
    noise_scale = covariance.diagonal().sqrt()
    assert ((samples.mean(0) - expected.mean).abs() < 5 * noise_scale / math.sqrt(count)).all()
    within = 0.03 * noise_scale[:, None] * noise_scale
    assert ((torch.cov(samples.T) - covariance).abs() < within).all()
    torch.testing.assert_close(mixture.expectation(), expected.mean)


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_deviates_as_asked_from_its_conditional_mean(kind: str) -> None:
    mixture, component = random_mixture(kind, 6), torch.tensor([0, 1, 2, 2, 1, 0])
    deviation = normal(6, 4, seed=9)
    value = mixture.transform_noise(component, deviation)
    mean = mixture.conditional_mean(value)[torch.arange(6), component]
    torch.testing.assert_close(value - mean, deviation, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_at_temperature_zero_the_likeliest_components_mean_comes_out(kind: str) -> None:
    mixture = random_mixture(kind, 50)
    likeliest = mixture.component_mean()[torch.arange(50), mixture.logits.argmax(-1)]
    torch.testing.assert_close(mixture.sample(0.0), likeliest, rtol=0, atol=1e-12)
    drawn = mixture.sample(1.0, torch.Generator().manual_seed(0), noise_scale=0.0)
    distance = (drawn[:, None] - mixture.component_mean()).abs().sum(-1)
    assert float(distance.min(-1).values.max()) < 1e-12
    assert not torch.allclose(drawn, likeliest)


# Stability


@given(st.lists(st.floats(-1.2, 1.2), min_size=1, max_size=6), st.sampled_from([0.5, 0.9, 0.99, 1.01, 1.5]))
def test_a_predictor_is_stable_just_when_its_poles_lie_inside_the_unit_circle(
    real: list[float], radius: float
) -> None:
    poles = np.array([*real, radius * np.exp(1j), radius * np.exp(-1j)])
    outermost = float(np.abs(poles).max())
    if abs(outermost - 1) > 1e-3:
        assert is_stable((-np.poly(poles).real[1:]).tolist()) == (outermost < 1)


def test_only_unstable_predictors_are_changed_and_their_poles_move_inwards_alone() -> None:
    wild = 1.3 * np.exp(1j * np.array([0.4, -0.4, 2.0, -2.0]))
    tame = 0.7 * wild / 1.3
    both = torch.tensor(np.array([-np.poly(wild).real[1:], -np.poly(tame).real[1:]]))
    found = stabilise(both)
    assert torch.equal(found[1], both[1])
    poles = np.roots([1, *-found[0].numpy()])
    np.testing.assert_allclose(np.abs(poles), 0.99, atol=1e-9)
    np.testing.assert_allclose(np.sort(np.angle(poles)), np.sort(np.angle(wild)), atol=1e-9)


def test_an_unstable_predictor_is_sampled_without_running_away() -> None:
    """20,000 samples at a pole radius of 1.05, which alone would reach 1.05 ** 20,000."""
    poles = 1.05 * np.exp(1j * np.array([0.3, -0.3, 1.5, -1.5]))
    coefficients = torch.tensor(-np.poly(poles).real[1:], dtype=torch.float32)[None, None]
    history, generator = torch.zeros(1, 4), torch.Generator().manual_seed(0)
    zero, scale, loudest = torch.zeros(1, 1), torch.full((1, 1, 10), 0.01), 0.0
    for _ in range(2_000):
        frame = AutoregressiveMixture(zero, zero, coefficients, scale, history).sample(1.0, generator)
        history = frame[:, -4:]
        loudest = max(loudest, float(frame.abs().max()))
    assert 0.1 < loudest < 100
