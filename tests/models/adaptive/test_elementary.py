"""Exponential and logarithm in double precision: right to the last digits, alone or in vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.adaptive import elementary
from tests.helpers.networks.compiled_functions import over

FUNCTIONS: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
    "exp": (np.exp, np.linspace(-699, 699, 100_003)),
    "log": (np.log, np.concatenate([np.exp(np.linspace(-690, 690, 100_003)), np.linspace(0.5, 2, 10_001)])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_near_the_true_function_and_the_same_in_vectors(name: str) -> None:
    true, points = FUNCTIONS[name]
    function = over(getattr(elementary, name))
    found = function(points)
    np.testing.assert_allclose(found, true(points), rtol=5e-16, atol=0)
    # One at a time, no vector instructions are at work.
    alone = [function(points[i : i + 1])[0] for i in range(0, len(points), 997)]
    np.testing.assert_array_equal(alone, found[::997])


def test_exponents_beyond_the_range_count_as_its_ends() -> None:
    exp = over(elementary.exp)
    ends = exp(np.array([-np.inf, -1e9, -elementary.LIMIT, elementary.LIMIT, 1e9, np.inf, np.nan]))
    assert (ends[:3] == ends[0]).all()
    assert (ends[3:] == ends[3]).all()
    assert 0 < ends[0] < 1e-300
    assert 1e300 < ends[3] < np.inf
