"""Least squares that forgets, normalised LMS and windows of past values."""

import numpy as np
import pytest

from models.adaptive.regression import UNKNOWNS, add_equation, append, product, solve


@pytest.mark.parametrize("size", [0, 1, 7, 8, 12, 37])
def test_the_sum_of_products_is_that_of_numpy(size: int) -> None:
    a, b = np.random.default_rng(size).normal(0, 1, (2, size))
    assert product(a, b) == pytest.approx(a @ b, abs=1e-13)


@pytest.mark.parametrize("unknowns", UNKNOWNS)
def test_the_solution_minimises_the_squares_of_weighted_errors(unknowns: int) -> None:
    """Compared with numpy's least squares of rows scaled by the roots of their weights and of the ridge."""
    random, forgetting, ridge, count = np.random.default_rng(unknowns), 0.98, 0.5, 150
    seen, values = random.normal(0, 20, (count, unknowns)), random.normal(0, 20, count)
    matrix, right, weights = np.zeros((unknowns, unknowns)), np.zeros(unknowns), np.zeros(unknowns)
    for row, value in zip(seen, values, strict=True):
        add_equation(matrix, right, row, float(value), forgetting)
    solve(matrix, right, ridge, weights)
    scale = np.sqrt((1 - forgetting) * forgetting ** np.arange(count)[::-1])
    rows = np.concatenate([scale[:, None] * seen, np.sqrt(ridge) * np.eye(unknowns)])
    expected = np.linalg.lstsq(rows, np.concatenate([scale * values, np.zeros(unknowns)]))[0]
    np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=1e-12)


def test_a_window_always_holds_the_last_values() -> None:
    past, place, size = np.zeros(11), 4, 4
    for n in range(1, 60):
        place = append(past, place, size, float(n))
        expected = np.maximum(np.arange(n - size + 1, n + 1), 0)
        np.testing.assert_array_equal(past[place - size : place], expected)
