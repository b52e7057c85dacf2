"""The quality measures have their known values."""

import numpy as np
import pytest

from pipeline.concealment.quality import estoi, has_pesq, log_spectral_distance_db, pesq, snr_db
from tests.helpers.builders import noise

RATE = 16_000


def babble(count: int, seed: int = 0) -> np.ndarray:
    """Noise that swells four times a second, as syllables do."""
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * np.arange(count) / RATE)
    return np.rint(swell * noise(count, seed, 4_000.0)).astype(np.int16)


def everywhere(sound: np.ndarray) -> np.ndarray:
    return np.ones(len(sound), bool)


def test_the_ratio_of_signal_to_noise() -> None:
    reference = np.full(1_000, 1_000, np.int16)
    estimate = reference.copy()
    estimate[500:] += 100
    assert snr_db(reference, estimate, everywhere(reference)) == pytest.approx(20 + 10 * np.log10(2))
    lost = np.arange(1_000) >= 500
    assert snr_db(reference, estimate, lost) == pytest.approx(20)
    assert snr_db(reference, np.where(lost, 0, reference).astype(np.int16), lost) == 0
    assert snr_db(reference, reference, lost) == float("inf")
    assert snr_db(0 * reference, estimate, lost) is None
    assert snr_db(reference, estimate, np.zeros(1_000, bool)) is None


def test_full_scale_does_not_overflow() -> None:
    low, high = np.full(10, -32_768, np.int16), np.full(10, 32_767, np.int16)
    assert snr_db(low, high, everywhere(low)) == pytest.approx(-20 * np.log10(65_535 / 32_768))


def test_the_spectral_distance_of_halves_is_6_db() -> None:
    sound = noise(4_000, std=4_000.0)
    assert log_spectral_distance_db(sound, sound, RATE, everywhere(sound)) == 0
    found = log_spectral_distance_db(sound, sound // 2, RATE, everywhere(sound))
    assert found == pytest.approx(20 * np.log10(2), abs=0.05)


def test_the_spectral_distance_counts_frames_that_touch_the_place() -> None:
    sound = babble(16_000)
    changed = sound.copy()
    changed[6_000:6_160] = 0
    lost = changed != sound
    near, far = lost, np.arange(16_000) < 5_000
    assert (log_spectral_distance_db(sound, changed, RATE, near) or 0) > 1
    assert log_spectral_distance_db(sound, changed, RATE, far) == 0
    assert log_spectral_distance_db(sound, changed, RATE, np.zeros(16_000, bool)) is None


def test_silence_is_far_from_sound_but_not_infinitely() -> None:
    sound = babble(16_000)
    distance = log_spectral_distance_db(sound, np.zeros_like(sound), RATE, everywhere(sound))
    assert distance is not None
    assert 20 < distance < 80
    assert log_spectral_distance_db(sound[:3], sound[:3], RATE, np.ones(3, bool)) == 0


def test_estoi_of_the_same_is_1_and_falls_with_noise() -> None:
    sound = babble(2 * RATE)
    figures = [estoi(sound, sound + noise(len(sound), 5, std), RATE) for std in (0.0, 500.0, 5_000.0)]
    same, near, far = (figure or 0.0 for figure in figures)
    assert same == pytest.approx(1, abs=1e-3)
    assert same > near > far
    assert estoi(sound[:2_000], sound[:2_000], RATE) is None


@pytest.mark.skipif(not has_pesq(), reason="PESQ's package is not installed")
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_pesq_of_the_same_is_best_and_falls_with_noise(rate: int) -> None:
    sound = babble(2 * rate)
    figures = [pesq(sound, sound + noise(len(sound), 5, std), rate) for std in (0.0, 500.0)]
    same, worse = (figure or 0.0 for figure in figures)
    assert same > 4.4
    assert worse < same - 0.5
    assert pesq(0 * sound, 0 * sound, rate) is None
