"""The intervals of values meet half way, and cover all numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.adaptive.cells import cells_of, integer_cells


@given(st.sets(st.integers(-(1 << 31), (1 << 31) - 1), min_size=1, max_size=30))
def test_each_value_lies_in_its_own_interval(values: set[int]) -> None:
    cells = cells_of(sorted(values))
    assert (cells.bounds[0], cells.bounds[-1]) == (-np.inf, np.inf)
    assert (cells.bounds[:-1] < cells.values).all()
    assert (cells.values < cells.bounds[1:]).all()


def test_integers_of_a_depth_have_intervals_of_width_1() -> None:
    cells = integer_cells(3)
    assert cells.values.tolist() == list(range(-4, 4))
    assert cells.bounds[1:-1].tolist() == [n + 0.5 for n in range(-4, 3)]
