import numpy as np
import pytest
import soxr

from pipeline.audio.pcm import (
    INT16_SCALE,
    fade_in,
    resample,
    resample_blocks,
    round_to_int16,
    to_float,
    to_int16,
)

EVERY_SAMPLE = np.arange(-INT16_SCALE, INT16_SCALE).astype(np.int16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_sample_survives_as_an_amplitude(dtype: type) -> None:
    amplitudes = to_float(EVERY_SAMPLE, dtype)
    assert amplitudes.dtype == dtype
    assert (amplitudes.min(), amplitudes.max()) == (-1.0, 1 - 1 / INT16_SCALE)
    assert np.array_equal(to_int16(amplitudes), EVERY_SAMPLE)


def test_steps_are_rounded_to_even_and_clipped() -> None:
    steps = np.array([0.4, 0.5, 1.5, -0.6, 40_000.0, -40_000.0, 32_767.4])
    before = steps.copy()
    assert round_to_int16(steps).tolist() == [0, 0, 2, -1, 32_767, -32_768, 32_767]
    assert np.array_equal(steps, before)


def tone(rate: int, count: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(count) / rate)


def test_another_rate_keeps_a_tone_and_its_type() -> None:
    for samples, expected in (
        (to_int16(tone(44_100, 44_100)), to_int16(tone(16_000, 16_000))),
        (tone(44_100, 44_100), tone(16_000, 16_000)),
    ):
        found = resample(samples, 44_100, 16_000)
        assert (found.dtype, found.shape) == (samples.dtype, expected.shape)
        scale = INT16_SCALE if found.dtype == np.int16 else 1
        inner = slice(500, -500)  # the ends ring
        assert np.abs(found[inner].astype(float) - expected[inner]).max() / scale < 1e-4
    assert resample(EVERY_SAMPLE, 8_000, 8_000) is EVERY_SAMPLE


def test_integers_get_no_dither() -> None:
    samples = to_int16(tone(44_100, 5_000))
    found = resample(samples, 44_100, 16_000)
    assert np.array_equal(found, to_int16(soxr.resample(to_float(samples), 44_100, 16_000)))
    assert np.array_equal(found, resample(samples, 44_100, 16_000))


def test_blocks_give_what_the_whole_gives() -> None:
    whole = tone(44_100, 30_000).astype(np.float32)
    blocks = np.split(whole, [1, 100, 7_000, 7_001, 25_000])
    together = np.concatenate(list(resample_blocks(blocks, 44_100, 16_000)))
    assert np.abs(together - resample(whole, 44_100, 16_000)).max() < 1e-6


@pytest.mark.parametrize("first", [0.5, 1.0])
def test_a_fade_rises_and_adds_up_to_one_with_its_reverse(first: float) -> None:
    for count in (0, 1, 2, 7, 160):
        rise = fade_in(count, first)
        assert rise.shape == (count,)
        assert np.allclose(rise + rise[::-1], 1)
        assert (np.diff(rise) > 0).all()
    # The same raised cosine, whose ends are 0 and 1, at other places.
    assert fade_in(8, 1.0) == pytest.approx(np.sin(np.pi / 2 * np.arange(1, 9) / 9) ** 2)
    assert fade_in(8, 0.5) == pytest.approx(np.sin(np.pi / 2 * (np.arange(8) + 0.5) / 8) ** 2)
