"""The set of integers that may occur holds all that do, and is packed only where it shortens the code."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.coding.occurring import MOST_VALUES, Histogram, packed_values, unpacked_values

Integers = np.ndarray


def counted(depth: int, integers: Integers) -> tuple[Integers, Integers] | None:
    histogram = Histogram(depth)
    for block in np.array_split(integers, 3):
        histogram.add(block)
    return histogram.found()


def packed_of(depth: int, integers: Integers) -> bytes:
    found = counted(depth, integers)
    assert found is not None
    return packed_values(*found, max(0, depth - 16))


@settings(max_examples=30)
@given(st.sampled_from([8, 16, 24, 32]), st.data())
def test_each_integer_is_counted(depth: int, data: st.DataObject) -> None:
    whole = st.integers(-(1 << (depth - 1)), (1 << (depth - 1)) - 1)
    integers = np.array(data.draw(st.lists(whole, min_size=1, max_size=40)), np.int32)
    found = counted(depth, integers)
    assert found is not None
    values, counts = np.unique(integers, return_counts=True)
    assert np.array_equal(found[0], values)
    assert np.array_equal(found[1], counts)


def test_too_many_different_integers_are_not_kept() -> None:
    assert counted(24, np.arange(MOST_VALUES)) is not None
    assert counted(24, np.arange(MOST_VALUES + 1)) is None


@settings(max_examples=50)
@given(st.sets(st.integers(-128, 127), min_size=1), st.integers(0, 2))
def test_all_that_occur_may_occur(values: set[int], below: int) -> None:
    occurring = np.array(sorted(values))
    packed = packed_values(occurring, np.full(len(values), 1_000), below)
    if packed:
        may = unpacked_values(packed, 8)
        assert np.isin(occurring, may).all()
        assert (np.diff(may) > 0).all()
        assert may.min() >= -128
        assert may.max() <= 127
        assert not below or np.array_equal(may, occurring)


def gaussian(std: float, count: int = 60_000) -> Integers:
    return np.rint(std * np.random.default_rng(0).standard_normal(count)).astype(np.int64)


@pytest.mark.parametrize("factor", [1.1, 1.3, 1.58, 15.9])
def test_scaled_integers_are_found(factor: float) -> None:
    """In the middle, where all multiples occur, no others may."""
    packed = packed_of(16, np.rint(factor * gaussian(300.0)).astype(np.int64))
    assert 0 < len(packed) < 900
    may = unpacked_values(packed, 16)
    middle = np.rint(factor * np.arange(-300, 301)).astype(np.int64)
    assert np.array_equal(may[(may >= middle[0]) & (may <= middle[-1])], middle)


@pytest.mark.parametrize("integers", [gaussian(300.0), gaussian(5_000.0), gaussian(0.3), np.zeros(900, int)])
def test_other_sounds_have_no_set(integers: Integers) -> None:
    assert packed_of(16, integers.clip(-32_768, 32_767)) == b""


def test_noise_of_24_bits_has_no_set_and_scaled_16_bits_have_one() -> None:
    assert packed_of(24, gaussian(300_000.0)) == b""
    scaled = np.rint(177.3 * gaussian(300.0)).astype(np.int64)
    assert np.array_equal(unpacked_values(packed_of(24, scaled), 24), np.unique(scaled))
    # Few values of the lower bits cost little by themselves.
    assert packed_of(24, (gaussian(5_000.0, 6_000) << 8) + 37) == b""


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\0" * 8,
        struct.pack("<BiI", 0, 0, 0),
        struct.pack("<BiI", 0, 0, MOST_VALUES + 1),
        struct.pack("<BiI", 0, 200, 1),
        struct.pack("<BiI", 0, -129, 1),
        struct.pack("<BiI", 4, 0, 1),
        struct.pack("<BiI", 0, 120, 50),
        struct.pack("<BiI", 0, 100, 3) + b"\0" * 30,
    ],
)
def test_sets_that_cannot_be(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"few bytes|out of range"):
        unpacked_values(packed, 8)


def test_a_set_with_all_integers_beside_it_is_no_larger_than_those_of_16_bits() -> None:
    with pytest.raises(ValueError, match="out of range"):
        unpacked_values(struct.pack("<BiI", 3, 0, 1), 24)
    assert len(unpacked_values(struct.pack("<BiI", 3, 0, 1), 16)) == MOST_VALUES
