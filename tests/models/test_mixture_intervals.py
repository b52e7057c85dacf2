"""The mixture as a code for integer samples: it sums to 1, to 50 digits, and is never negative."""

import math

import mpmath  # type: ignore[import-untyped]
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.mixture import GaussianMixture, log_normal_interval
from pipeline.config import WaveformConfig
from pipeline.features import Normalisation, Normaliser

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


def single(mean: float, scale: float) -> GaussianMixture:
    """One Gaussian over one value."""
    values = (torch.tensor([[x]], dtype=torch.float64) for x in (mean, scale))
    return GaussianMixture(torch.zeros(1, dtype=torch.float64), *values)


def normaliser(mean: float = 0.0, std: float = 1.0) -> Normaliser:
    return Normaliser(WaveformConfig(), Normalisation((mean,), (std,)), torch.device("cpu"))


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
