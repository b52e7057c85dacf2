"""The mixture's density and samples, against torch's own and against its moments."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from models.distributions.mixture import DiagonalMixture


def random_mixture(*batch: int, components: int = 4, size: int = 3, seed: int = 0) -> DiagonalMixture:
    random = torch.Generator().manual_seed(seed)
    shape = (*batch, components, size)
    logits = 2 * torch.randn(shape[:-1], generator=random, dtype=torch.float64)
    mean = torch.randn(shape, generator=random, dtype=torch.float64)
    log_scale = torch.randn(shape, generator=random, dtype=torch.float64)
    return DiagonalMixture(logits, mean, log_scale.exp())


def of_torch(logits: Tensor, mean: Tensor, scale: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=logits), Independent(Normal(mean, scale), 1))


# Density


def test_the_density_is_torchs() -> None:
    mixture = random_mixture(5, 7)
    value = torch.randn(5, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = of_torch(mixture.logits, mixture.mean, mixture.scale).log_prob(value)
    torch.testing.assert_close(mixture.log_prob(value), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kept", [[0], [2], [0, 2], [0, 1, 2]])
def test_a_mask_gives_the_exact_marginal(kept: list[int]) -> None:
    mixture = random_mixture(6)
    value = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(6, 3, dtype=torch.bool)
    mask[:, kept] = True
    others = value.masked_fill(~mask, 1e6)
    expected = of_torch(mixture.logits, mixture.mean[..., kept], mixture.scale[..., kept])
    for given_value in (value, others):
        found = mixture.log_prob(given_value, mask)
        torch.testing.assert_close(found, expected.log_prob(value[:, kept]), rtol=1e-12, atol=1e-12)


def test_the_marginal_is_the_integral_over_the_masked_output() -> None:
    mixture = random_mixture(size=2)
    along = torch.linspace(-60, 60, 60_001, dtype=torch.float64)
    grid = torch.stack([torch.full_like(along, 0.3), along], -1)
    integral = torch.trapezoid(mixture.log_prob(grid).exp(), along)
    marginal = mixture.log_prob(grid[0], torch.tensor([True, False]))
    assert float(integral.log()) == pytest.approx(float(marginal), abs=1e-8)


def test_with_nothing_to_predict_the_probability_is_one() -> None:
    mixture = random_mixture(2)
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    value = torch.randn(2, 3, dtype=torch.float64)
    assert mixture.log_prob(value, nothing).abs().max() < 1e-14
    assert mixture.interval_log_prob(value, value, value + 1, nothing).abs().max() < 1e-14


@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_is_that_of_finite_differences_and_of_autograd(masked: bool) -> None:
    mixture = random_mixture(2, 3)
    value = torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mask = value < 0.5 if masked else None
    leaves = [x.requires_grad_() for x in (mixture.logits, mixture.mean, mixture.scale, value)]

    def log_prob(logits: Tensor, mean: Tensor, scale: Tensor, value: Tensor) -> Tensor:
        return DiagonalMixture(logits, mean, scale).log_prob(value, mask)

    assert torch.autograd.gradcheck(log_prob, leaves)
    if not masked:
        weights = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
        expected = torch.autograd.grad((weights * of_torch(*leaves[:3]).log_prob(value)).sum(), leaves)
        found = torch.autograd.grad((weights * log_prob(*leaves)).sum(), leaves)
        torch.testing.assert_close(found, expected)


def test_parameters_shared_by_many_values_get_the_sum_of_their_gradients() -> None:
    shared = [x.requires_grad_() for x in vars(random_mixture(components=2)).values()]
    values = torch.randn(50, 3, dtype=torch.float64)
    of_mixture = DiagonalMixture(*shared).log_prob(values).sum()
    expected = torch.autograd.grad(of_torch(*shared).log_prob(values).sum(), shared)
    torch.testing.assert_close(torch.autograd.grad(of_mixture, shared), expected)


def test_likelihood_recovers_a_known_mixture() -> None:
    """10,000 samples fix weights to about 0.005 and moments to about 0.01: the bounds are four times that."""
    weights = torch.tensor([0.2, 0.3, 0.5])
    mean = torch.tensor([[-2.0, 0.0], [0.0, 1.5], [1.5, -1.0]])
    scale = torch.tensor([[0.3, 0.8], [0.5, 0.2], [0.7, 0.4]])
    torch.manual_seed(0)
    samples = of_torch(weights.log(), mean, scale).sample((10_000,))
    parameters = [torch.zeros(3), torch.tensor([[-1.0, 0.0], [0.0, 0.5], [1.0, 0.0]]), torch.zeros(3, 2)]
    leaves = [parameter.requires_grad_() for parameter in parameters]
    optimizer = torch.optim.Adam(leaves, lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        logits, found_mean, log_scale = leaves
        loss = -DiagonalMixture(logits, found_mean, log_scale.exp()).log_prob(samples).mean()
        loss.backward()
        optimizer.step()
    order = leaves[1][:, 0].argsort()
    torch.testing.assert_close(torch.softmax(leaves[0], -1)[order], weights, rtol=0, atol=0.02)
    torch.testing.assert_close(leaves[1].detach()[order], mean, rtol=0, atol=0.04)
    torch.testing.assert_close(leaves[2].exp()[order], scale, rtol=0, atol=0.04)


# Samples


def test_samples_have_the_mixtures_moments() -> None:
    mixture = random_mixture(components=3, size=2)
    count = 200_000
    many = DiagonalMixture(*(part.expand(count, *part.shape) for part in vars(mixture).values()))
    samples = many.sample(generator=torch.Generator().manual_seed(0))
    expected = of_torch(mixture.logits, mixture.mean, mixture.scale)
    noise_scale = expected.variance.sqrt()
    assert ((samples.mean(0) - expected.mean).abs() < 5 * noise_scale / math.sqrt(count)).all()
    torch.testing.assert_close(samples.var(0), expected.variance, rtol=0.03, atol=0)
    torch.testing.assert_close(mixture.expectation(), expected.mean)


def test_the_outputs_of_one_sample_come_from_one_component() -> None:
    mean = torch.tensor([[-9.0, -9.0], [9.0, 9.0]]).expand(1000, 2, 2)
    mixture = DiagonalMixture(torch.zeros(1000, 2), mean, torch.ones(1000, 2, 2))
    signs = mixture.sample(generator=torch.Generator().manual_seed(0)).sign()
    assert torch.equal(signs[:, 0], signs[:, 1])
    assert 400 < int((signs[:, 0] > 0).sum()) < 600


def test_at_temperature_zero_the_likeliest_components_mean_comes_out() -> None:
    mixture = random_mixture(4, 5)
    best = mixture.logits.argmax(-1)
    expected = torch.stack([mixture.mean[b, t, best[b, t]] for b in range(4) for t in range(5)])
    torch.testing.assert_close(mixture.sample(0.0).reshape(20, 3), expected, rtol=0, atol=0)


def test_temperature_narrows_and_sharpens() -> None:
    count, temperature = 100_000, 0.5
    logits, means = torch.tensor([0.0, 1.0]), torch.tensor([[-100.0], [100.0]])
    mixture = DiagonalMixture(
        logits.expand(count, 2), means.expand(count, 2, 1), torch.full((count, 2, 1), 3.0)
    )
    samples = mixture.sample(temperature, torch.Generator().manual_seed(0))[:, 0]
    upper = samples[samples > 0]
    assert len(upper) / count == pytest.approx(1 / (1 + math.exp(-1 / temperature)), abs=0.01)
    assert float(upper.std()) == pytest.approx(3 * temperature, rel=0.02)


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-40, 1e-300])
def test_the_smallest_temperatures_are_as_good_as_zero(temperature: float) -> None:
    mixture = DiagonalMixture(
        torch.tensor([[1.0, 3.0, 2.0]]), torch.tensor([[[1.0], [5.0], [9.0]]]), torch.ones(1, 3, 1)
    )
    assert float(mixture.sample(temperature)) == pytest.approx(5.0, abs=0.01)


def test_the_same_seed_gives_the_same_samples() -> None:
    mixture = random_mixture(50)
    first, again, other = (mixture.sample(1.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
