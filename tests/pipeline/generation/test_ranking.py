"""The spectral distance by which takes are ranked, in decibels."""

import numpy as np
import pytest

from pipeline.generation.ranking import CONTEXT_S, FLOOR_DB, band_levels_db, spectral_distance_db
from tests.helpers.builders import noise, tone

RATE = 8_000


def test_sound_is_at_no_distance_from_itself_and_a_gain_is_a_distance_of_its_decibels() -> None:
    context = noise(2 * RATE) // 16
    louder = np.round(context * 10 ** (6 / 20)).astype(np.int16)
    found = spectral_distance_db(context, np.stack([context, louder]), RATE)
    assert found[0] == 0
    assert found[1] == pytest.approx(6, abs=0.05)


def test_only_the_end_of_the_context_counts() -> None:
    end = noise(round(CONTEXT_S * RATE))
    before = np.zeros(RATE, np.int16)
    assert spectral_distance_db(np.concatenate([before, end]), end[None], RATE)[0] == 0


def test_a_take_of_the_same_spectrum_is_nearer_than_a_quieter_and_than_a_steady_one() -> None:
    """Speech comes in bursts: noise of its mean levels, without the pauses, is not like it."""
    bursts = np.where(np.arange(3 * RATE) // 800 % 2, noise(3 * RATE) // 8, 0).astype(np.int16)
    shifted, quiet = np.roll(bursts, 400), bursts // 8
    steady = (noise(3 * RATE) // 11).astype(np.int16)
    distances = spectral_distance_db(bursts, np.stack([quiet, steady, shifted]), RATE)
    assert np.argmin(distances) == 2


def test_a_tone_is_loud_in_its_band_and_white_noise_in_all_alike() -> None:
    levels = band_levels_db(tone(RATE, sample_rate=RATE), RATE).mean(0)
    assert levels.max() - np.median(levels) > 30
    flat = band_levels_db(noise(4 * RATE), RATE).mean(0)
    assert np.ptp(flat) < 4


@pytest.mark.parametrize("length", [1, 100, 5_000])
def test_short_and_silent_sound_has_finite_levels(length: int) -> None:
    assert band_levels_db(np.zeros(length, np.int16), RATE).min() == pytest.approx(FLOOR_DB)
    assert np.isfinite(spectral_distance_db(tone(length), np.zeros((2, length), np.int16), RATE)).all()
