"""The decisions' probabilities are those of the mixture, with the documented accuracy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.distributions.constants import MAX_RAW_SCALE
from models.distributions.mixture import Mixture
from models.heads import AutoregressiveMixtureHead, FullMixtureHead, GaussianMixtureHead, MixtureHead
from pipeline.compression import bit_probabilities as bits
from pipeline.compression.network_mixture import KINDS, Alphabet
from tests.helpers.builders import Samples, normaliser_of, tiny_model, tone

pytestmark = pytest.mark.slow  # files of this format are only read, no longer written

INTEGERS = 65_536
CONFIG = tiny_model().input
NORMALISER = normaliser_of(CONFIG)
BOUNDS = Alphabet.of(tiny_model(), 16).bounds
OUTPUTS, COMPONENTS, ORDER, FLOOR = 4, 3, 6, 1e-4


def head_of(covariance: str) -> MixtureHead:
    form = (8, OUTPUTS, COMPONENTS, FLOOR)
    if covariance == "autoregressive":
        head = AutoregressiveMixtureHead(*form, ORDER)
        head.start_at(torch.tensor([1.6, -0.8, 0.1, 0.0, 0.02, -0.01]), 0.1, 0.02)
        return head
    return FullMixtureHead(*form) if covariance == "full" else GaussianMixtureHead(*form)


def projected(head: MixtureHead, width: float, seed: int) -> torch.Tensor:
    """Raw parameters (P,) whose scales are around ``width``."""
    random = torch.Generator().manual_seed(seed)
    raw = 0.5 * torch.randn(sum(head.sizes), generator=random)
    parts = raw.split(head.sizes)
    parts[2].add_(math.log(width))
    if isinstance(head, AutoregressiveMixtureHead):
        parts[3].mul_(0.02)  # of an unstable predictor, `sample` draws from another
    return raw


def read(head: MixtureHead, covariance: str, raw: torch.Tensor, history: torch.Tensor) -> bits.Mixture:
    predictor = (np.zeros(0), np.zeros((0, 0)), np.zeros(0))
    if isinstance(head, AutoregressiveMixtureHead):
        start, basis, seen = (part.double().numpy() for part in (head.start, head.basis, history))
        predictor = (start, basis, seen)
    size = (COMPONENTS, OUTPUTS)
    table = np.zeros((bits.ROWS, COMPONENTS))
    mixture = (table, np.zeros(size), np.zeros(size), np.zeros((*size, OUTPUTS)))
    bits.read_mixture(raw.numpy(), KINDS[covariance], FLOOR, MAX_RAW_SCALE, predictor, mixture)
    return mixture


def code_length(mixture: bits.Mixture, covariance: str, samples: Samples) -> float:
    """Minus the natural logarithm of the product of all decisions on the samples of a step."""
    values = NORMALISER.normalise(torch.from_numpy(samples)).double().numpy()
    shape = (len(samples), 16)
    probabilities, decisions = np.empty(shape), np.empty(shape, np.int32)
    places = samples.astype(np.int64) + 32_768
    bits.step_decisions(mixture, KINDS[covariance], values, places, BOUNDS, probabilities, decisions)
    taken = np.where(decisions == 1, probabilities, 1 - probabilities)
    return -float(np.log(taken).sum())


def in_torch(head: MixtureHead, raw: torch.Tensor, history: torch.Tensor) -> Mixture:
    """The mixture that the head itself makes, in float64."""
    with torch.no_grad():
        head.double().projection.weight.zero_()
        head.projection.bias.copy_(raw)
        mixture: Mixture = head(torch.zeros(8, dtype=torch.float64), history.double())
    return mixture


@pytest.mark.parametrize("covariance", list(KINDS))
@pytest.mark.parametrize("width", [1e-4, 0.02, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_decisions_multiply_to_the_joint_probability_of_a_step(
    covariance: str, width: float, seed: int
) -> None:
    head, random = head_of(covariance), torch.Generator().manual_seed(100 + seed)
    raw, history = projected(head, width, seed), 0.1 * torch.randn(ORDER, generator=random)
    mixture = in_torch(head, raw, history)
    samples = NORMALISER.restore(mixture.sample(generator=random)[:, None])[:, 0]
    values = NORMALISER.normalise(samples).double()
    expected = -float(mixture.interval_log_prob(values, *NORMALISER.interval(samples)))
    found = code_length(read(head, covariance, raw, history), covariance, samples.numpy())
    # Decisions that are nearly certain are taken for a little less, 2^-24 each.
    assert found == pytest.approx(expected, abs=1e-9 + OUTPUTS * 16 * bits.LEAST)


@pytest.mark.parametrize("width", [1e-12, 1e-4, 0.01, 1.0, 30.0, 1e3])
@pytest.mark.parametrize("mean", [0.0, 3.0, -19.0, 1e4])
def test_probabilities_of_all_integers_sum_to_one(width: float, mean: float) -> None:
    raw = projected(head_of("diagonal"), width, 0)
    raw[COMPONENTS : COMPONENTS * (1 + OUTPUTS)] += mean
    mixture = read(head_of("diagonal"), "diagonal", raw, torch.zeros(ORDER))
    table = mixture[0]
    bits.begin_sample(mixture, bits.DIAGONAL, np.zeros(OUTPUTS), 0)

    def total(low: int, half: int) -> float:
        """The sum over an interval's integers of the products of the decisions inside it."""
        if not half:
            return 1.0
        right, here = bits.right_half(table, BOUNDS[low + half]), table.copy()
        found = 0.0
        for bit, probability in ((0, 1 - right), (1, right)):
            table[:] = here
            bits.narrow(table, bit)
            found += probability * total(low + half * bit, half // 2)
        return found

    assert total(0, INTEGERS // 2) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("sample", [-32_768, -32_767, -1, 0, 17, 32_767])
def test_first_sample_has_the_mixtures_own_probability_at_the_ends_too(sample: int) -> None:
    head = head_of("diagonal")
    raw, history = projected(head, 3.0, 1), torch.zeros(ORDER)
    samples = torch.full((OUTPUTS,), sample, dtype=torch.int16)
    mask = torch.arange(OUTPUTS) == 0
    mixture = in_torch(head, raw, history)
    bounds = NORMALISER.interval(samples)
    expected = -float(mixture.interval_log_prob(NORMALISER.normalise(samples).double(), *bounds, mask))
    found = code_length(read(head, "diagonal", raw, history), "diagonal", samples[:1].numpy())
    assert found == pytest.approx(expected, abs=1e-9 + 16 * bits.LEAST)


@given(st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=OUTPUTS), st.sampled_from(list(KINDS)))
def test_no_sample_has_zero_probability_however_narrow_the_mixture(
    samples: list[int], covariance: str
) -> None:
    raw = projected(head_of(covariance), 1e-12, 2)
    mixture = read(head_of(covariance), covariance, raw, torch.zeros(ORDER))
    nats = code_length(mixture, covariance, np.array(samples, np.int16))
    assert 0 <= nats <= len(samples) * 16 * 24 * math.log(2) + 1e-9


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_model_that_gives_no_numbers_still_gives_probabilities(broken: float) -> None:
    for covariance in KINDS:
        head = head_of(covariance)
        raw = torch.full((sum(head.sizes),), broken)
        mixture = read(head, covariance, raw, torch.zeros(ORDER))
        assert math.isfinite(code_length(mixture, covariance, tone(OUTPUTS)))


def test_eight_bit_integers_stand_for_the_samples_that_round_to_them() -> None:
    alphabet = Alphabet.of(tiny_model(), 8)
    assert alphabet.levels == 8
    middles = (alphabet.bounds[1:-2] + alphabet.bounds[2:-1]) / 2
    assert middles == pytest.approx(alphabet.values[1:-1], abs=1e-5)


def test_values_and_bounds_are_those_of_the_normaliser() -> None:
    model = tiny_model()
    alphabet, integers = Alphabet.of(model, 16), torch.arange(-32_768, 32_768)
    lower, upper = model.normaliser().interval(integers)
    assert torch.equal(torch.from_numpy(alphabet.values), model.normaliser().normalise(integers))
    assert torch.equal(torch.from_numpy(alphabet.bounds[:-1]), lower)
    assert torch.equal(torch.from_numpy(alphabet.bounds[1:]), upper)
