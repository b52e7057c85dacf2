"""Regular sound is continued exactly; silence and short sound stay silent."""

import librosa
import numpy as np
import pytest

from pipeline.concealment.extrapolation import autoregression, burg, pitch_period, repetition, silence
from tests.helpers.builders import noise

RATE = 16_000
CONTINUATIONS = [silence, repetition, autoregression]


def sinusoids(start: int, count: int) -> np.ndarray:
    time_s = np.arange(start, start + count) / RATE
    parts = [(5_000, 173.0), (3_000, 440.5), (1_000, 3_000.0)]
    return np.asarray(sum(level * np.sin(2 * np.pi * hz * time_s) for level, hz in parts))


def test_a_linear_predictor_continues_sinusoids() -> None:
    """Within the noise of rounding: the error is 50 dB below over the next 20 ms."""
    history = np.rint(sinusoids(0, 3_200)).astype(np.int16)
    expected = sinusoids(3_200, 320)
    error = autoregression(history, 320, RATE) - expected
    assert 10 * np.log10(np.square(expected).sum() / np.square(error).sum()) > 50


@pytest.mark.parametrize("order", [1, 2, 16, 128])
def test_burgs_coefficients_are_those_of_librosa(order: int) -> None:
    samples = np.cumsum(noise(1_000).astype(float))
    np.testing.assert_allclose(burg(samples, order), librosa.lpc(samples, order=order), atol=1e-6)


@pytest.mark.parametrize(
    "samples", [np.zeros(300), np.ones(300), np.rint(sinusoids(0, 300)), np.eye(1, 300)[0]]
)
def test_a_fitted_predictor_is_never_unstable(samples: np.ndarray) -> None:
    poles = np.roots(burg(samples, 32))
    assert np.abs(poles).max(initial=0) < 1 + 1e-6


@pytest.mark.parametrize("period", [81, 100, 130, 240])
def test_repetition_continues_periodic_sound_exactly(period: int) -> None:
    history = np.tile(noise(period, std=3_000.0), 20)
    assert pitch_period(history, RATE) == period
    assert np.array_equal(repetition(history, 777, RATE), np.resize(history[:period], 777))


def test_repetition_leaves_no_steps() -> None:
    """Of a tone that swells, at the seam and where a period begins anew."""
    time = np.arange(4_000)
    tone = 8_000 * np.exp(time / 2_000 - 2) * np.sin(2 * np.pi * time / 123)
    history = np.rint(tone[:3_000]).astype(np.int16)
    joined = np.concatenate([history, repetition(history, 900, RATE)])
    steepest = np.abs(np.diff(history[-400:].astype(float))).max()
    assert np.abs(np.diff(joined[2_990:])).max() < 1.3 * steepest


@pytest.mark.parametrize("continuation", CONTINUATIONS)
@pytest.mark.parametrize("context", [0, 1, 2, 5, 79, 160, 480, 481, 4_000])
@pytest.mark.parametrize("count", [0, 1, 1_000])
def test_as_many_finite_samples_as_asked_for(continuation, context: int, count: int) -> None:  # type: ignore[no-untyped-def]
    continued = continuation(noise(context), count, RATE)
    assert continued.shape == (count,)
    assert np.isfinite(continued).all()
    assert np.abs(continued).max(initial=0) < 20_000


@pytest.mark.parametrize("continuation", CONTINUATIONS)
def test_silence_is_continued_by_silence(continuation) -> None:  # type: ignore[no-untyped-def]
    assert not continuation(np.zeros(4_000, np.int16), 500, RATE).any()
