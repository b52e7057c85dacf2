"""The mixture against torch's own, against 50 digits, and as a code: it sums to 1 and never explodes."""

import itertools
import math

import mpmath  # type: ignore[import-untyped]
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from models.heads import GaussianMixtureHead
from models.mixture import GaussianMixture, log_normal_interval
from pipeline.config import WaveformConfig
from pipeline.features import Normalisation, Normaliser

ALL_INTEGERS = torch.arange(-32_768, 32_768, dtype=torch.int32)[:, None]


def random_mixture(*batch: int, components: int = 4, size: int = 3, seed: int = 0) -> GaussianMixture:
    random = torch.Generator().manual_seed(seed)
    shape = (*batch, components, size)
    logits = 2 * torch.randn(shape[:-1], generator=random, dtype=torch.float64)
    mean = torch.randn(shape, generator=random, dtype=torch.float64)
    log_scale = torch.randn(shape, generator=random, dtype=torch.float64)
    return GaussianMixture(logits, mean, log_scale.exp())


def of_torch(logits: Tensor, mean: Tensor, scale: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=logits), Independent(Normal(mean, scale), 1))


def single(mean: float, scale: float) -> GaussianMixture:
    """One Gaussian over one value."""
    values = (torch.tensor([[x]], dtype=torch.float64) for x in (mean, scale))
    return GaussianMixture(torch.zeros(1, dtype=torch.float64), *values)


def normaliser(mean: float = 0.0, std: float = 1.0) -> Normaliser:
    return Normaliser(WaveformConfig(), Normalisation((mean,), (std,)), torch.device("cpu"))


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
    assert mixture.interval_log_prob(value, value + 1, nothing).abs().max() < 1e-14


@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_is_that_of_finite_differences_and_of_autograd(masked: bool) -> None:
    mixture = random_mixture(2, 3)
    value = torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mask = value < 0.5 if masked else None
    leaves = [x.requires_grad_() for x in (mixture.logits, mixture.mean, mixture.scale, value)]

    def log_prob(logits: Tensor, mean: Tensor, scale: Tensor, value: Tensor) -> Tensor:
        return GaussianMixture(logits, mean, scale).log_prob(value, mask)

    assert torch.autograd.gradcheck(log_prob, leaves)
    if not masked:
        weights = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
        expected = torch.autograd.grad((weights * of_torch(*leaves[:3]).log_prob(value)).sum(), leaves)
        found = torch.autograd.grad((weights * log_prob(*leaves)).sum(), leaves)
        torch.testing.assert_close(found, expected)


def test_parameters_shared_by_many_values_get_the_sum_of_their_gradients() -> None:
    shared = [x.requires_grad_() for x in vars(random_mixture(components=2)).values()]
    values = torch.randn(50, 3, dtype=torch.float64)
    of_mixture = GaussianMixture(*shared).log_prob(values).sum()
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
        loss = -GaussianMixture(logits, found_mean, log_scale.exp()).log_prob(samples).mean()
        loss.backward()
        optimizer.step()
    order = leaves[1][:, 0].argsort()
    torch.testing.assert_close(torch.softmax(leaves[0], -1)[order], weights, rtol=0, atol=0.02)
    torch.testing.assert_close(leaves[1].detach()[order], mean, rtol=0, atol=0.04)
    torch.testing.assert_close(leaves[2].exp()[order], scale, rtol=0, atol=0.04)


# Exact probability of integer samples

STEP = 1 / 32_768
CODES = {
    "narrow": ([0.0], [0.0], [0.1 * STEP]),
    "narrow, between two values": ([0.0], [0.5 * STEP], [0.1 * STEP]),
    "one step": ([0.0], [0.1], [STEP]),
    "wide": ([0.0], [0.0], [1_000.0]),
    "far off": ([0.0], [50.0], [0.1]),
    "very far off": ([0.0], [-1e6], [1e-3]),
    "at the lower edge": ([0.0], [-1.0], [3 * STEP]),
    "at the upper edge": ([0.0], [1.0], [0.2]),
    "all of these": ([0.0, 1.0, -1.0, 2.0], [0.0, -1.0, 30.0, 1.0], [0.1 * STEP, 0.01, 0.1, 100.0]),
}


@pytest.mark.parametrize(("logits", "mean", "scale"), CODES.values(), ids=CODES)
@pytest.mark.parametrize("moments", [(0.0, 1.0), (0.01, 0.05), (-0.9, 1e-4)])
def test_the_probabilities_of_all_integer_samples_sum_to_one(
    logits: list[float], mean: list[float], scale: list[float], moments: tuple[float, float]
) -> None:
    """``mean`` and ``scale`` are in units of full scale; the moments say how the model sees them."""
    shift, std = moments
    columns = [torch.tensor(x, dtype=torch.float64) for x in (logits, mean, scale)]
    mixture = GaussianMixture(columns[0], (columns[1][:, None] - shift) / std, columns[2][:, None] / std)
    log_prob = mixture.interval_log_prob(*normaliser(shift, std).interval(ALL_INTEGERS))
    assert log_prob.shape == (65_536,)
    assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-9)
    assert float(log_prob.max()) <= 0


def test_a_narrow_gaussian_at_a_sample_costs_nothing_and_one_between_two_a_bit() -> None:
    sample = torch.tensor([[1234]])
    bounds = normaliser().interval(sample)
    at_sample = single(1234 * STEP, 0.05 * STEP).interval_log_prob(*bounds)
    between = single(1234.5 * STEP, 0.05 * STEP).interval_log_prob(*bounds)
    assert float(at_sample) == pytest.approx(0, abs=1e-12)
    assert float(between) == pytest.approx(-math.log(2), abs=1e-12)


@given(
    logits=st.lists(st.floats(-30, 30), min_size=1, max_size=4),
    mean=st.floats(-5, 5),
    log_scale=st.floats(-12, 7),
    sample=st.integers(-32_768, 32_767),
)
def test_a_code_length_is_never_negative(
    logits: list[float], mean: float, log_scale: float, sample: int
) -> None:
    """In float32 parameters, as a model gives them, and outputs that all lie in the middle of the mass."""
    shape = (len(logits), 10)
    mixture = GaussianMixture(
        torch.tensor(logits), torch.full(shape, mean), torch.full(shape, math.exp(log_scale))
    )
    for integer in (sample, max(-32_768, min(32_767, round(mean * 32_768)))):
        lower, upper = normaliser().interval(torch.full((10, 1), integer))
        assert float(mixture.interval_log_prob(lower[:, 0], upper[:, 0])) <= 0


def test_a_certain_sample_costs_nothing_and_never_less() -> None:
    """Among so many weights some sum to more than 1, in the last digit."""
    logits = 5 * torch.randn(10_000, 20, generator=torch.Generator().manual_seed(0))
    certain = GaussianMixture(logits, torch.zeros(10_000, 20, 1), torch.full((10_000, 20, 1), 0.01 * STEP))
    log_prob = certain.interval_log_prob(*normaliser().interval(torch.zeros(10_000, 1)))
    assert float(log_prob.max()) == 0
    assert float(log_prob.min()) > -1e-14


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (0.7, 0.2), (3.0, 5.0)])
def test_a_narrow_interval_has_its_density_times_its_width(mean: float, scale: float) -> None:
    """The error of the midpoint rule falls with the square of the width, down to rounding."""
    mixture, value = single(mean, scale), torch.tensor([0.4], dtype=torch.float64)
    density = mixture.log_prob(value)
    errors = []
    for width in (1e-1, 1e-2, 1e-3, 1e-4):
        found = mixture.interval_log_prob(value - width / 2, value + width / 2)
        errors.append(abs(float(found - density - math.log(width))))
        assert errors[-1] < 0.5 * (width / scale) ** 2 + 1e-10
    assert errors[0] > 1e-6  # the bound above is no accident of two equal formulas


@pytest.mark.parametrize("distance", [0.0, 1e-6, 1.0, 5.0, 37.0, 200.0, 1e5])
@pytest.mark.parametrize("width", [1e-4, 0.3, 1.0, 10.0])
def test_intervals_equal_fifty_digit_arithmetic_on_both_sides(distance: float, width: float) -> None:
    with mpmath.workdps(50):
        low, high = mpmath.mpf(distance), mpmath.mpf(distance + width)
        root = mpmath.sqrt(2)
        expected = float(mpmath.log((mpmath.erfc(low / root) - mpmath.erfc(high / root)) / 2))
    below, above = torch.tensor([distance, distance + width], dtype=torch.float64)
    right, left = log_normal_interval(below, above), log_normal_interval(-above, -below)
    # Rounding a bound moves the tail's logarithm by distance^2 * 1e-16, relative to log(width) besides.
    assert float(right) == pytest.approx(expected, rel=1e-11, abs=1e-11 / width + 1e-15 * distance**2)
    assert float(left) == pytest.approx(float(right), rel=1e-12)


def test_far_off_and_unbounded_intervals_are_finite() -> None:
    infinity = torch.tensor([torch.inf], dtype=torch.float64)
    one = torch.tensor([1.0], dtype=torch.float64)
    standard = single(0.0, 1.0)
    for place in (200 * one, -200 * one):
        found = standard.interval_log_prob(place - 1e-3, place + 1e-3)
        assert float(found) == pytest.approx(-0.5 * 200**2, rel=1e-2)
    assert float(standard.interval_log_prob(-infinity, infinity)) == 0
    for distance in (200.0, -200.0):
        tails = (
            standard.interval_log_prob(-infinity, distance * one),
            standard.interval_log_prob(distance * one, infinity),
        )
        assert all(tail.isfinite().all() for tail in tails)
        assert float(max(tails)) == 0
    assert float(standard.interval_log_prob(-infinity, one * 0)) == pytest.approx(-math.log(2), abs=1e-14)


# Samples


def test_samples_have_the_mixtures_moments() -> None:
    mixture = random_mixture(components=3, size=2)
    count = 200_000
    many = GaussianMixture(*(part.expand(count, *part.shape) for part in vars(mixture).values()))
    samples = many.sample(generator=torch.Generator().manual_seed(0))
    expected = of_torch(mixture.logits, mixture.mean, mixture.scale)
    spread = expected.variance.sqrt()
    assert ((samples.mean(0) - expected.mean).abs() < 5 * spread / math.sqrt(count)).all()
    torch.testing.assert_close(samples.var(0), expected.variance, rtol=0.03, atol=0)
    torch.testing.assert_close(mixture.expected(), expected.mean)


def test_the_outputs_of_one_sample_come_from_one_component() -> None:
    mean = torch.tensor([[-9.0, -9.0], [9.0, 9.0]]).expand(1000, 2, 2)
    mixture = GaussianMixture(torch.zeros(1000, 2), mean, torch.ones(1000, 2, 2))
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
    mixture = GaussianMixture(
        logits.expand(count, 2), means.expand(count, 2, 1), torch.full((count, 2, 1), 3.0)
    )
    samples = mixture.sample(temperature, torch.Generator().manual_seed(0))[:, 0]
    upper = samples[samples > 0]
    assert len(upper) / count == pytest.approx(1 / (1 + math.exp(-1 / temperature)), abs=0.01)
    assert float(upper.std()) == pytest.approx(3 * temperature, rel=0.02)


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-40, 1e-300])
def test_the_smallest_temperatures_are_as_good_as_zero(temperature: float) -> None:
    mixture = GaussianMixture(
        torch.tensor([[1.0, 3.0, 2.0]]), torch.tensor([[[1.0], [5.0], [9.0]]]), torch.ones(1, 3, 1)
    )
    assert float(mixture.sample(temperature)) == pytest.approx(5.0, abs=0.01)


def test_the_same_seed_gives_the_same_samples() -> None:
    mixture = random_mixture(50)
    first, again, other = (mixture.sample(1.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# The head


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
