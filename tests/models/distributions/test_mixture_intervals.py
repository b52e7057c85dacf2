"""The mixture as a code for integer samples: it sums to 1, to 50 digits, and is never negative."""

import math

import mpmath  # type: ignore[import-untyped]
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.distributions.mixture import DiagonalMixture
from models.distributions.normal import log_normal_interval
from pipeline.config.inputs import WaveformConfig
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.features.waveform import Waveform

ALL_INTEGERS = torch.arange(-32_768, 32_768, dtype=torch.int32)[:, None]
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


def single(mean: float, scale: float) -> DiagonalMixture:
    """One Gaussian over one value."""
    values = (torch.tensor([[x]], dtype=torch.float64) for x in (mean, scale))
    return DiagonalMixture(torch.zeros(1, dtype=torch.float64), *values)


def normaliser(mean: float = 0.0, std: float = 1.0) -> Normaliser:
    return Normaliser(Waveform(WaveformConfig()), Normalisation((mean,), (std,)), torch.device("cpu"))


@pytest.mark.parametrize(("logits", "mean", "scale"), CODES.values(), ids=CODES)
@pytest.mark.parametrize("moments", [(0.0, 1.0), (0.01, 0.05), (-0.9, 1e-4)])
def test_the_probabilities_of_all_integer_samples_sum_to_one(
    logits: list[float], mean: list[float], scale: list[float], moments: tuple[float, float]
) -> None:
    """``mean`` and ``scale`` are in units of full scale; the moments give the model's normalisation."""
    shift, std = moments
    columns = [torch.tensor(x, dtype=torch.float64) for x in (logits, mean, scale)]
    mixture = DiagonalMixture(columns[0], (columns[1][:, None] - shift) / std, columns[2][:, None] / std)
    samples = normaliser(shift, std)
    log_prob = mixture.interval_log_prob(samples.normalise(ALL_INTEGERS), *samples.interval(ALL_INTEGERS))
    assert log_prob.shape == (65_536,)
    assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-9)
    assert float(log_prob.max()) <= 0


def test_a_narrow_gaussian_at_a_sample_costs_nothing_and_one_between_two_a_bit() -> None:
    sample = torch.tensor([[1234]])
    outcome = (normaliser().normalise(sample), *normaliser().interval(sample))
    at_sample = single(1234 * STEP, 0.05 * STEP).interval_log_prob(*outcome)
    between = single(1234.5 * STEP, 0.05 * STEP).interval_log_prob(*outcome)
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
    mixture = DiagonalMixture(
        torch.tensor(logits), torch.full(shape, mean), torch.full(shape, math.exp(log_scale))
    )
    for integer in (sample, max(-32_768, min(32_767, round(mean * 32_768)))):
        lower, upper = (bound[:, 0] for bound in normaliser().interval(torch.full((10, 1), integer)))
        assert float(mixture.interval_log_prob((lower + upper) / 2, lower, upper)) <= 0


def test_a_certain_sample_costs_nothing_and_never_less() -> None:
    """Among so many weights some sum to more than 1, in the last digit."""
    logits = 5 * torch.randn(10_000, 20, generator=torch.Generator().manual_seed(0))
    certain = DiagonalMixture(logits, torch.zeros(10_000, 20, 1), torch.full((10_000, 20, 1), 0.01 * STEP))
    zero = torch.zeros(10_000, 1)
    log_prob = certain.interval_log_prob(zero, *normaliser().interval(zero))
    assert float(log_prob.max()) == 0
    assert float(log_prob.min()) > -1.1e-10


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (0.7, 0.2), (3.0, 5.0)])
def test_a_narrow_interval_has_its_density_times_its_width(mean: float, scale: float) -> None:
    """The error of the midpoint rule falls with the square of the width, down to rounding."""
    mixture, value = single(mean, scale), torch.tensor([0.4], dtype=torch.float64)
    density = mixture.log_prob(value)
    errors = []
    for width in (1e-1, 1e-2, 1e-3, 1e-4):
        found = mixture.interval_log_prob(value, value - width / 2, value + width / 2)
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
        found = standard.interval_log_prob(place, place - 1e-3, place + 1e-3)
        assert float(found) == pytest.approx(-0.5 * 200**2, rel=1e-2)
    assert float(standard.interval_log_prob(one, -infinity, infinity)) == 0
    for distance in (200.0, -200.0):
        tails = (
            standard.interval_log_prob(one, -infinity, distance * one),
            standard.interval_log_prob(one, distance * one, infinity),
        )
        assert all(tail.isfinite().all() for tail in tails)
        assert float(max(tails)) == 0
    below_zero = standard.interval_log_prob(one, -infinity, one * 0)
    assert float(below_zero) == pytest.approx(-math.log(2), abs=1e-14)


# The same in float32, with a gradient, for training


def gaussians(mean: Tensor, scale: Tensor) -> DiagonalMixture:
    """As many single Gaussians as ``mean`` (N,) has values."""
    return DiagonalMixture(torch.zeros(len(mean), 1).to(mean), mean[:, None, None], scale[:, None, None])


WIDTHS = [1e-4, 0.01, 0.029, 0.031, 0.1, 0.3, 1.0, 3.0, 10.0, 1e3, 1e5]


@pytest.mark.parametrize("scale", [1.0, 1e-5, 300.0])
@pytest.mark.parametrize("width", WIDTHS)
def test_float32_is_right_to_four_digits_at_any_distance(width: float, scale: float) -> None:
    distance = torch.cat([torch.linspace(-45, 45, 901), torch.tensor([1e3, -1e3, 1e6, -1e6])])
    lower, upper = (scale * (distance + side * width / 2) for side in (-1, 1))
    apart = upper > lower
    lower, upper = lower[apart, None], upper[apart, None]
    few = gaussians(torch.zeros(len(lower)), torch.full((len(lower),), scale))
    exact = few.interval_log_prob(lower, lower, upper)
    found = few.discrete_log_prob(lower, lower, upper)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_slopes_are_those_of_the_exact_probability(width: float) -> None:
    """Against central differences of the float64 probability, with a step that leaves six digits."""
    middle = torch.linspace(-12, 12, 97, dtype=torch.float64)[:, None]
    lower, upper = middle - width / 2, middle + width / 2

    def exact(mean: float, scale: float) -> Tensor:
        return gaussians(middle.new_full((97,), mean), middle.new_full((97,), scale)).interval_log_prob(
            middle, lower, upper
        )

    step = 1e-4
    expected = [
        (exact(step, 1) - exact(-step, 1)) / (2 * step),
        (exact(0, 1 + step) - exact(0, 1 - step)) / (2 * step),
    ]
    for dtype, digits in ((torch.float32, 4e-4), (torch.float64, 1e-5)):
        leaves = [torch.full((97,), x, dtype=dtype, requires_grad=True) for x in (0.0, 1.0)]
        found = gaussians(*leaves).discrete_log_prob(middle.to(dtype), lower.to(dtype), upper.to(dtype))
        gradients = torch.autograd.grad(found.sum(), leaves)
        for of_leaf, wanted in zip(gradients, expected, strict=True):
            torch.testing.assert_close(of_leaf.double(), wanted, rtol=digits, atol=digits)


def test_the_loudest_samples_and_the_narrowest_scales_have_a_finite_gradient() -> None:
    """At the outermost integers the interval is unbounded, here as far as 300,000 scales away."""
    samples = torch.tensor([-32_768, -32_767, -1, 0, 1, 32_766, 32_767])[:, None]
    lower, upper = normaliser(0.0, 0.1).interval(samples)
    value = normaliser(0.0, 0.1).normalise(samples)
    for scale in (0.1 * STEP, 1.0, 1e3):
        for mean in (-10.0, 0.0, 10.0, 1e3):
            leaves = [torch.full((7,), x, requires_grad=True) for x in (mean, scale)]
            found = gaussians(*leaves).discrete_log_prob(value, lower, upper)
            exact = gaussians(*leaves).interval_log_prob(value, lower, upper).detach()
            torch.testing.assert_close(found.detach().double(), exact, rtol=1e-4, atol=1e-5)
            for gradient in torch.autograd.grad(found.sum(), leaves):
                assert gradient.isfinite().all()


@pytest.mark.parametrize("masked", [False, True])
def test_all_its_gradients_are_those_of_finite_differences(masked: bool) -> None:
    random = torch.Generator().manual_seed(0)
    shapes = ((2, 3), (2, 3, 4), (2, 3, 4))
    leaves = [torch.randn(shape, dtype=torch.float64, generator=random) for shape in shapes]
    value = torch.randn(2, 4, dtype=torch.float64, generator=random)
    upper = value + torch.tensor([0.05, 0.5, 5.0, torch.inf], dtype=torch.float64)
    mask = torch.tensor([[True, True, True, False], [True] * 4]) if masked else None

    def log_prob(logits: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        return DiagonalMixture(logits, mean, log_scale.exp()).discrete_log_prob(value, value, upper, mask)

    assert torch.autograd.gradcheck(log_prob, [leaf.requires_grad_() for leaf in leaves])
    logits, mean, log_scale = (leaf.detach() for leaf in leaves)
    exact = DiagonalMixture(logits, mean, log_scale.exp()).interval_log_prob(value, value, upper, mask)
    torch.testing.assert_close(log_prob(*leaves).detach(), exact, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("left_out", [0, 1, 3])
def test_probabilities_of_outputs_given_those_before_multiply_to_the_joint_one(left_out: int) -> None:
    random = torch.Generator().manual_seed(left_out)
    mixture = DiagonalMixture(
        torch.randn(20, 6, generator=random),
        torch.randn(20, 6, 4, generator=random),
        torch.rand(20, 6, 4, generator=random) + 0.01,
    )
    value = 2 * torch.randn(20, 4, generator=random)
    arguments = (value, value - 0.1, value + 0.1)
    mask = torch.ones(20, 4, dtype=torch.bool)
    mask[:, 4 - left_out :] = False
    each = mixture.conditional_interval_log_prob(*arguments, mask)
    torch.testing.assert_close(
        each.sum(-1), mixture.interval_log_prob(*arguments, mask), rtol=1e-9, atol=1e-9
    )
    assert not each[:, 4 - left_out :].any()
    first = torch.arange(4) == 0
    alone = mixture.interval_log_prob(*arguments, first.expand(20, 4))
    torch.testing.assert_close(each[:, 0], alone, rtol=1e-9, atol=1e-9)
