"""Integers of any depth become places and come back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.coding.layout import Layout, best_layout, layout_of, layout_of_samples
from pipeline.coding.occurring import Histogram


def come_back(layout: Layout, integers: np.ndarray) -> None:
    places = layout.places(integers)
    assert places.min() >= 0
    assert places.max() < len(layout.cells.values)
    below = layout.below_of(integers) if layout.below else 0
    assert np.array_equal(layout.integers(places, below), integers)


@settings(max_examples=60)
@given(st.sampled_from([8, 16, 24, 32]), st.integers(0, 7), st.integers(0, 200), st.data())
def test_any_integers_come_back(depth: int, unused: int, repeated: int, data: st.DataObject) -> None:
    most = (1 << (depth - 1 - unused)) - 1
    used = data.draw(st.lists(st.integers(-most - 1, most), min_size=1, max_size=30))
    integers = np.repeat(np.array(used, np.int64) << unused, 1 + repeated).astype(np.int32)
    histogram = Histogram(depth)
    histogram.add(integers)
    layout = best_layout(depth, histogram)
    assert layout.unused >= min(unused, depth - 1)
    come_back(layout, integers)


@pytest.mark.parametrize(("depth", "shift"), [(8, 0), (16, 0), (16, 4), (24, 0), (24, 8), (32, 0), (32, 16)])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_step_is_that_of_16_bits(depth: int, shift: int, scaled: bool) -> None:
    """What a value stands for, in 16-bit steps, is the integer's own size."""
    random = np.random.default_rng(0)
    largest = 0.8 * 2.0 ** (depth - 1 - shift)
    used = np.rint(largest * np.clip(0.2 * random.standard_normal(30_000), -1, 1))
    if scaled:
        coarse = max(3.0, largest / 2_000)
        used = np.rint(coarse * np.rint(used / coarse))
    integers = used.astype(np.int64) << shift
    histogram = Histogram(depth)
    histogram.add(integers)
    layout = best_layout(depth, histogram)
    assert bool(layout.packed) == scaled
    come_back(layout, integers)
    meant = layout.cells.values[layout.places(integers)] * layout.step
    np.testing.assert_allclose(meant, integers / 2.0 ** (depth - 16), atol=1.0)


def test_samples_without_holes_keep_all_integers() -> None:
    layout = layout_of_samples((300 * np.random.default_rng(0).standard_normal(5_000)).astype(np.int16))
    assert (layout.packed, len(layout.cells.values)) == (b"", 1 << 16)
    assert len(layout_of(16, 8, b"").cells.values) == 256
