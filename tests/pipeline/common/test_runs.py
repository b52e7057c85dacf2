import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline.common.runs import true_runs


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ([], []),
        ([0, 0], []),
        ([1], [(0, 1)]),
        ([1, 1, 1], [(0, 3)]),
        ([0, 1, 1, 0, 0, 1], [(1, 3), (5, 6)]),
        ([1, 0, 1, 0], [(0, 1), (2, 3)]),
    ],
)
def test_runs_are_found_at_the_ends_and_between(mask: list[int], expected: list[tuple[int, int]]) -> None:
    assert list(zip(*true_runs(np.array(mask, bool)), strict=True)) == expected


@given(some.lists(some.booleans()))
def test_runs_give_the_mask_again_and_never_touch(mask: list[bool]) -> None:
    starts, ends = true_runs(np.array(mask, bool))
    again = np.zeros(len(mask), bool)
    for start, end in zip(starts, ends, strict=True):
        again[start:end] = True
    assert again.tolist() == mask
    assert (ends > starts).all()
    assert (starts[1:] > ends[:-1]).all()
