"""The unrolled elimination solves the equations that numpy solves."""

import numpy as np
import pytest
from numba import njit

from models.adaptive.solver import ORDER, solve

Floats = np.ndarray


@njit  # type: ignore[untyped-decorator]
def solved(matrix: Floats, right: Floats, ridge: float, solution: Floats) -> bool:
    return solve(matrix, right, ridge, solution)  # type: ignore[no-any-return]


def equations(rows: int, seed: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    regressors = random.normal(0, 30, (rows, ORDER))
    return regressors.T @ regressors, regressors.T @ random.normal(0, 30, rows)


@pytest.mark.parametrize("seed", range(5))
def test_the_solution_is_that_of_numpy(seed: int) -> None:
    matrix, right = equations(200, seed)
    found = np.zeros(ORDER)
    upper = np.triu(matrix)  # what lies left of the diagonal is not read
    assert solved(upper, right, 0.5, found)
    expected = np.linalg.solve(matrix + 0.5 * np.eye(ORDER), right)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(upper, np.triu(matrix), "the equations are not changed")


def test_equations_without_a_reliable_solution_keep_the_former_one() -> None:
    former = np.arange(ORDER, dtype=np.float64)
    for matrix in (np.zeros((ORDER, ORDER)), -np.eye(ORDER), np.full((ORDER, ORDER), np.nan)):
        found = former.copy()
        assert not solved(matrix, np.ones(ORDER), 0.0, found)
        np.testing.assert_array_equal(found, former)
