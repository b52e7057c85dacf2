"""Exponential and normal tail have the documented accuracy, and ends beyond their range."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from pipeline.compression import normal_tail as tail


@given(st.floats(tail.LOWEST, tail.HIGHEST))
def test_exponential_is_exact_to_the_last_digits(x: float) -> None:
    assert tail.exponential(x) == pytest.approx(math.exp(x), rel=5e-16)


def test_exponents_beyond_the_range_count_as_its_ends() -> None:
    assert tail.exponential(-1e9) == tail.exponential(math.nan) == tail.exponential(tail.LOWEST) > 0
    assert tail.exponential(1e9) == tail.exponential(tail.HIGHEST) < math.inf


@given(st.floats(0, tail.FARTHEST))
def test_upper_tail_keeps_its_digits_however_far(z: float) -> None:
    assert tail.upper_tail(z) == pytest.approx(ndtr(-z), rel=1e-12)


def test_upper_tail_beyond_the_farthest_is_that_of_the_farthest() -> None:
    assert tail.upper_tail(math.inf) == tail.upper_tail(math.nan) == tail.upper_tail(tail.FARTHEST)
    assert 0 < tail.upper_tail(math.inf) < 1e-299
