"""Code lengths under the adaptive predictor: near the entropy, causal, and the same everywhere."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from models.adaptive.cells import cells_of, integer_cells
from models.adaptive.code_length import AdaptivePredictor
from tests.helpers.builders import noise, tone

GAUSSIAN_BITS = 0.5 * math.log2(2 * math.pi * math.e)


def integers(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples).astype(np.int64)


def test_the_code_length_of_an_autoregression_is_near_its_entropy_rate() -> None:
    innovation = 300.0 * np.random.default_rng(0).standard_normal(60_000)
    samples = integers(lfilter([1.0], [1.0, -1.6, 0.81], innovation))
    bits = AdaptivePredictor().bits(samples)[1_000:].mean()
    entropy = math.log2(300.0) + GAUSSIAN_BITS
    # A memory of 100 samples for 16 weights costs about 16 / 200 nats.
    assert entropy < bits < entropy + 0.2


def test_code_lengths_depend_on_earlier_samples_only() -> None:
    samples = integers(tone(2_000) / 3)
    changed = samples.copy()
    changed[1_200:] = integers(noise(800))
    first, second = (AdaptivePredictor().bits(each) for each in (samples, changed))
    np.testing.assert_array_equal(first[:1_200], second[:1_200])
    assert (first[1_200:] != second[1_200:]).any()


def test_the_division_into_blocks_changes_nothing() -> None:
    samples = integers(noise(1_500, std=500.0))
    whole, parts = AdaptivePredictor(), AdaptivePredictor()
    bits = whole.bits(samples)
    np.testing.assert_array_equal(
        bits, np.concatenate([parts.bits(x) for x in np.array_split(samples, [1, 17, 1_000, 1_000])])
    )


@pytest.mark.parametrize(
    ("samples", "most"),
    [
        (np.zeros(4_000), 0.1),
        (np.full(4_000, -32_768.0), 0.1),
        (np.arange(4_000) // 20 % 2 * 65_535.0 - 32_768.0, 2.5),
        (20_000 * np.sin(np.arange(4_000) / 7), 1.0),
    ],
    ids=["silence", "constant", "square wave", "sine"],
)
def test_what_repeats_costs_little(samples: np.ndarray, most: float) -> None:
    bits = AdaptivePredictor().bits(integers(samples))
    assert np.isfinite(bits).all()
    assert bits.min() >= 0
    assert bits.max() <= 33  # of the uniform share
    assert bits.mean() < most


def test_integers_of_few_bits_cost_no_more_than_these() -> None:
    for depth in (1, 4, 8):
        random = np.random.default_rng(depth).integers(-(1 << depth - 1), 1 << depth - 1, 5_000)
        assert AdaptivePredictor(integer_cells(depth)).bits(random).mean() < depth + 0.4


@pytest.mark.parametrize("values", [[-7, -3, 0, 1, 2, 40, 41], [0.5], [-32_768, 32_767], [100, 20_000]])
def test_probabilities_of_all_values_sum_to_one(values: list[float]) -> None:
    """After some samples, those of each value as the next one."""
    cells, random = cells_of(values), np.random.default_rng(0)
    before = random.choice(values, 200)
    total = 0.0
    for value in values:
        predictor = AdaptivePredictor(cells)
        predictor.bits(before)
        total += 2.0 ** -float(predictor.bits(np.array([value]))[0])
    assert total == pytest.approx(1.0, abs=1e-12)


def test_a_sample_that_may_not_occur_is_an_error() -> None:
    for sample in (-1, 2, 5):
        with pytest.raises(ValueError, match="none of the values"):
            AdaptivePredictor(cells_of([0, 1, 4])).bits(np.array([sample]))


def test_a_network_that_knows_better_takes_over() -> None:
    samples = integers(noise(3_000, std=200.0))
    alone = AdaptivePredictor().bits(samples).mean()
    with_good = AdaptivePredictor(with_network=True).bits(samples, np.full(3_000, 0.5))
    assert with_good[100:].mean() == pytest.approx(1.0, abs=0.02)
    with_bad = AdaptivePredictor(with_network=True).bits(samples, np.full(3_000, 1e-7))
    assert with_bad.mean() == pytest.approx(alone, abs=0.01)


def test_probabilities_of_a_network_are_given_exactly_where_it_is_an_expert() -> None:
    samples = np.zeros(10, np.int64)
    for predictor, given in (
        (AdaptivePredictor(), np.ones(10)),
        (AdaptivePredictor(with_network=True), None),
        (AdaptivePredictor(with_network=True), np.ones(9)),
    ):
        with pytest.raises(ValueError, match="one probability"):
            predictor.bits(samples, given)


CODE = """
import hashlib, numpy as np
from models.adaptive.code_length import AdaptivePredictor
random = np.random.default_rng(0)
samples = np.rint(3000 * np.sin(np.arange(6000) / 9) + random.integers(-400, 400, 6000)).astype(np.int64)
print(hashlib.sha256(AdaptivePredictor().bits(samples).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_another_kind_of_processor_finds_the_same_numbers(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = integers(3_000 * np.sin(np.arange(6_000) / 9) + random.integers(-400, 400, 6_000))
    here = hashlib.sha256(AdaptivePredictor().bits(samples).tobytes()).hexdigest()
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    environment = {**os.environ, **plain, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", CODE]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == here
