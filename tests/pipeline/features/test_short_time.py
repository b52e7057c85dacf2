"""Frames and short-time magnitudes."""

import numpy as np
import pytest

from pipeline.features.short_time import frames_of, short_time_magnitudes


@pytest.mark.parametrize("length", [0, 3, 8, 21])
def test_frames_hold_the_values_in_order_and_only_whole_ones(length: int) -> None:
    values = np.arange(1, length + 1)
    frames = frames_of(values, 8, 4)
    assert len(frames) == max(1, 1 + (length - 8) // 4)
    for start, frame in zip(range(0, length, 4), frames, strict=False):
        assert frame.tolist() == [*values[start : start + 8], *[0] * max(0, 8 - length)]


def test_a_tone_has_half_its_amplitude_times_the_windows_sum_at_its_frequency() -> None:
    window = np.hanning(65)[:-1]
    tone = 0.5 * np.cos(2 * np.pi * 8 / 64 * np.arange(640))
    magnitudes = short_time_magnitudes(tone, window, 32)
    assert (magnitudes.argmax(-1) == 8).all()
    assert magnitudes[:, 8] == pytest.approx(0.25 * window.sum())
