"""Rows of steps: what the network reads is known before the step, and errors stand for predictions."""

import numpy as np
import pytest

from models.adaptive.ensemble import PREDICTIONS
from models.adaptive.step_features import StepFeatures, row_size
from tests.helpers.builders import Samples, noise, tone

HOP, WINDOW = 7, 12
SCALES = HOP * PREDICTIONS
SOUND = tone(3_000) // 4 + noise(3_000, std=50.0)


def rows(samples: Samples, unused: int = 0) -> np.ndarray:
    return StepFeatures(HOP, WINDOW, unused).rows(samples)


def test_a_step_says_nothing_of_samples_that_come_later() -> None:
    """Another sample n changes no prediction and no scale up to its own, and nothing that was read before."""
    changed = SOUND.copy()
    step, n = 40, 3
    changed[step * HOP + n] += 500
    before, after = rows(SOUND), rows(changed)
    np.testing.assert_array_equal(before[:step], after[:step])
    np.testing.assert_array_equal(before[step, 2 * SCALES :], after[step, 2 * SCALES :])
    scales = slice(SCALES, SCALES + (n + 1) * PREDICTIONS)
    np.testing.assert_array_equal(before[step, scales], after[step, scales])
    own = slice(n * PREDICTIONS, (n + 1) * PREDICTIONS)
    np.testing.assert_array_equal(before[step, : own.start], after[step, : own.start])
    np.testing.assert_allclose(after[step, own] - before[step, own], 500, rtol=1e-5)
    assert np.any(before[step + 1 :] != after[step + 1 :])


@pytest.mark.parametrize("cut", [0, HOP, 5 * HOP])
def test_blocks_of_whole_steps_give_the_rows_of_the_whole(cut: int) -> None:
    features = StepFeatures(HOP, WINDOW)
    found = np.concatenate([features.rows(SOUND[:cut]), features.rows(SOUND[cut:])])
    np.testing.assert_array_equal(found, rows(SOUND))


def test_the_last_step_may_be_partial() -> None:
    whole, cut = rows(SOUND[: 6 * HOP]), rows(SOUND[: 5 * HOP + 2])
    assert cut.shape == (6, row_size(HOP, WINDOW))
    kept = 2 * PREDICTIONS
    np.testing.assert_array_equal(cut[-1, :kept], whole[-1, :kept])
    assert not cut[-1, kept:SCALES].any()


def test_unused_low_bits_scale_errors_and_widths_and_nothing_else() -> None:
    small, shifted = rows(SOUND >> 4), rows((SOUND >> 4) << 4, unused=4)
    np.testing.assert_allclose(shifted[:, :SCALES], 16 * small[:, :SCALES], rtol=1e-6)
    existing = slice(SCALES, 2 * SCALES)
    np.testing.assert_allclose(
        shifted[:-1, existing], small[:-1, existing] + np.log(16), rtol=1e-5, atol=1e-5
    )
    assert set(small[:, 2 * SCALES]) == {1.0}
    assert set(shifted[:, 2 * SCALES]) == {16.0}
    np.testing.assert_array_equal(shifted[:, 2 * SCALES + 1 :], small[:, 2 * SCALES + 1 :])


@pytest.mark.parametrize(
    "samples", [np.zeros(0, np.int16), np.zeros(50, np.int16), np.full(50, -32_768, np.int16)]
)
def test_all_rows_are_finite(samples: Samples) -> None:
    found = rows(samples)
    assert found.shape == (-(-len(samples) // HOP), row_size(HOP, WINDOW))
    assert np.isfinite(found).all()
