"""Decisions come back from their bytes, and take as many bits as their probabilities say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.coding import range_coder as coder

Decision = tuple[int, float]


def encoded(decisions: list[Decision]) -> np.ndarray:
    state, data = coder.new_encoder(), np.full(coder.MOST_BYTES * (len(decisions) + 3), 7, np.uint8)
    for bit, probability in decisions:
        coder.encode(state, data, bit, probability)
    return data[: coder.finish(state, data)]


def decoded(data: np.ndarray, probabilities: list[float]) -> list[int]:
    state = coder.new_decoder(data)
    return [coder.decode(state, data, probability) for probability in probabilities]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), max_size=200))
def test_any_decisions_come_back(decisions: list[Decision]) -> None:
    data = encoded(decisions)
    assert decoded(data, [p for _, p in decisions]) == [bit for bit, _ in decisions]
    assert len(data) <= coder.MOST_BYTES * len(decisions) + 1


@pytest.mark.parametrize("probability", [0.0, 1e-5, 0.03, 0.5, 0.999, 1.0])
def test_the_size_is_the_code_length(probability: float) -> None:
    random, least = np.random.default_rng(0), 2.0**-coder.PROBABILITY_BITS
    bits = (random.random(20_000) < probability).astype(int).tolist()
    data = encoded([(bit, probability) for bit in bits])
    taken = min(max(probability, least), 1 - least)
    expected = -sum(math.log2(taken if bit else 1 - taken) for bit in bits)
    assert 8 * len(data) == pytest.approx(expected, rel=1e-4, abs=16)
    assert decoded(data, [probability] * len(bits)) == bits


def test_a_carry_runs_through_the_bytes_that_are_written() -> None:
    """The lower end rises to just below a round number, then beyond it."""
    for count in range(1, 40):
        for last in (0, 1):
            decisions = [(1, 0.5), *[(0, 0.5)] * count, (0, 0.999), *[(last, 0.5)] * 30]
            data = encoded(decisions)
            assert decoded(data, [p for _, p in decisions]) == [bit for bit, _ in decisions]


def test_behind_the_last_byte_there_are_zeros() -> None:
    found = decoded(np.zeros(0, np.uint8), [0.5] * 500)
    assert set(found) == {1}
    some = np.frombuffer(b"\x80", np.uint8)
    assert decoded(some, [0.5] * 100) == decoded(np.frombuffer(b"\x80" + bytes(50), np.uint8), [0.5] * 100)
