"""Gaps come back from their bytes, and those of scaled integers take few bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.coding.gaps import MOST_BITS, pack_gaps, unpack_gaps

LARGEST = (1 << MOST_BITS) - 1


@settings(max_examples=100)
@given(st.lists(st.one_of(st.integers(1, 20), st.integers(1, LARGEST)), max_size=60))
def test_any_gaps_come_back_and_take_the_bits_that_are_returned(gaps: list[int]) -> None:
    packed, bits = pack_gaps(np.array(gaps, np.int64))
    assert unpack_gaps(packed, len(gaps)).tolist() == gaps
    assert 8 * len(packed) == pytest.approx(bits.sum(), abs=16)


@pytest.mark.parametrize("factor", [1.0, 1.3, 1.58, 2.9, 7.77])
def test_the_gaps_of_scaled_integers_take_few_bits(factor: float) -> None:
    gaps = np.diff(np.rint(factor * np.arange(-4_000, 4_000))).astype(np.int64)
    assert 8 * len(pack_gaps(gaps)[0]) < 0.25 * len(gaps)


def test_any_bytes_are_decoded_to_some_gaps() -> None:
    for data in (b"", b"\xff" * 50, bytes(range(256))):
        found = unpack_gaps(data, 100)
        assert found.min() >= 1
        assert found.max() <= LARGEST + 8
