"""Functions that have to have the same bits everywhere: near the true ones, and vectors or not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.compiled import elementary as compiled_math
from tests.helpers.networks.compiled_functions import over

PARTS_OF_ONE = np.logspace(-30, 0, 20_001)
FUNCTIONS: dict[str, tuple[Callable[..., Any], np.ndarray, float]] = {
    "exp": (np.exp, np.linspace(-86, 86, 200_001), 1e-7),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), np.linspace(-80, 80, 200_001), 2e-7),
    "tanh": (np.tanh, np.concatenate([np.linspace(-20, 20, 200_001), PARTS_OF_ONE, -PARTS_OF_ONE]), 3e-7),
    "log1p": (np.log1p, np.concatenate([np.linspace(0, 1e6, 200_001), PARTS_OF_ONE]), 1e-7),
    "asinh": (np.arcsinh, np.concatenate([np.linspace(-1e5, 1e5, 200_001), -PARTS_OF_ONE]), 2e-7),
    "nearest": (np.rint, np.arange(-70_000, 70_000) / 2, 0.0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_near_the_true_function(name: str) -> None:
    true, points, relative = FUNCTIONS[name]
    x = points.astype(np.float32)
    function = over(getattr(compiled_math, name))
    y = function(x)
    expected = true(x.astype(np.float64))
    assert np.all(np.abs(y - expected) <= relative * np.abs(expected))
    # One at a time, no vector instructions are at work.
    alone = [function(x[i : i + 1])[0] for i in range(0, len(x), 997)]
    np.testing.assert_array_equal(alone, y[::997])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_number_stays_none(name: str) -> None:
    assert np.isnan(over(getattr(compiled_math, name))(np.full(33, np.nan, np.float32))).all()


def test_the_ends() -> None:
    ends = np.array([-np.inf, -1e30, 1e30, np.inf], np.float32)
    np.testing.assert_allclose(over(compiled_math.tanh)(ends), np.sign(ends), rtol=3e-7)
    sigmoids = over(compiled_math.sigmoid)(ends)
    np.testing.assert_array_equal(sigmoids[2:], 1.0)
    assert np.all(sigmoids[:2] < 1e-37)
    assert np.all(np.isfinite(over(compiled_math.exp)(ends)))
