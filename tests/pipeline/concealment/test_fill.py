"""Received samples are unchanged; gaps are filled without steps, and long ones fade."""

import itertools

import numpy as np
import pytest

from pipeline.concealment.extrapolation import autoregression
from pipeline.concealment.fill import GapFiller, conceal
from pipeline.concealment.gaps import NO_GAPS, gap_mask, merged, random_losses
from pipeline.concealment.methods import METHODS, Method, filler
from pipeline.config.inputs import SpectrogramConfig, WaveformConfig
from pipeline.errors import UserError
from tests.helpers.builders import noise, tiny_model, tone

RATE = 8_000
CLASSICAL: tuple[Method, ...] = ("zero", "repeat", "ar", "blend")
BOTH_SIDES: tuple[Method, ...] = ("blend", "model")
FADE = round(0.004 * RATE)
MODEL = tiny_model(WaveformConfig(sample_rate=RATE))
GAPS = [
    [[0, 200]],
    [[0, 2_000]],
    [[1, 90]],
    [[700, 701]],
    [[1_800, 2_000]],
    [[400, 480], [481, 560], [600, 900], [910, 1_300]],
    [[100, 1_999]],
]


def how(method: Method, seed: int = 0) -> GapFiller:
    return filler(method, MODEL, seed)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stretches", GAPS)
def test_only_gaps_and_the_short_fade_after_them_change(method: Method, stretches: list[list[int]]) -> None:
    sound = tone(2_000)
    gaps = merged(np.array(stretches), len(sound))
    given = sound.copy()
    filled = conceal(sound, gaps, RATE, how(method))
    faded = gap_mask(merged(gaps + np.array([0, FADE]), len(sound)), len(sound))
    assert filled.dtype == np.int16
    assert np.array_equal(filled[~faded], sound[~faded])
    assert np.array_equal(sound, given)


@pytest.mark.parametrize("method", METHODS)
def test_what_stands_in_a_gap_does_not_matter(method: Method) -> None:
    """Lost samples are no context."""
    gaps = merged(np.array([[500, 660], [900, 1_100]]), 2_000)
    lost = gap_mask(gaps, 2_000)
    filled = [conceal(np.where(lost, other, tone(2_000)), gaps, RATE, how(method)) for other in (0, 77)]
    assert np.array_equal(*filled)


@pytest.mark.parametrize("method", METHODS)
def test_without_gaps_every_bit_stays(method: Method) -> None:
    for sound in (tone(1_000), np.zeros(0, np.int16)):
        assert np.array_equal(conceal(sound, NO_GAPS, RATE, how(method)), sound)


@pytest.mark.parametrize("method", METHODS)
def test_all_is_lost(method: Method) -> None:
    filled = conceal(tone(500), np.array([[0, 500]]), RATE, how(method))
    assert np.array_equal(filled, np.zeros(500, np.int16))


@pytest.mark.parametrize("method", BOTH_SIDES)
def test_a_gap_at_the_beginning_is_filled_from_the_right(method: Method) -> None:
    sound = tone(2_000)
    filled = conceal(sound, np.array([[0, 80]]), RATE, how(method))
    assert np.abs(filled[:80] - sound[:80].astype(float)).mean() < 0.3 * np.abs(sound[:80]).mean()


@pytest.mark.parametrize("method", CLASSICAL[1:])
def test_a_tone_continues_across_a_gap(method: Method) -> None:
    """A gap of 10 ms in a tone over a little noise, at the right place in its period."""
    sound = tone(4_000)
    filled = conceal(sound, np.array([[2_000, 2_080]]), RATE, how(method))
    error = (filled - sound.astype(float))[2_000:2_080]
    assert np.square(error).mean() < 0.05 * np.square(sound[2_000:2_080].astype(float)).mean()


@pytest.mark.parametrize("method", ["repeat", "ar", "blend"])
def test_there_are_no_clicks_at_the_seams(method: Method) -> None:
    sound = tone(16_000)
    gaps = random_losses(len(sound), 160, 0.2, 800, seed=1)
    filled = conceal(np.where(gap_mask(gaps, len(sound)), 0, sound), gaps, RATE, how(method))
    steepest = np.abs(np.diff(sound.astype(int))).max()
    assert np.abs(np.diff(filled.astype(int))).max() < 1.5 * steepest


@pytest.mark.parametrize("method", METHODS)
def test_a_long_gap_fades_away(method: Method) -> None:
    """Away from the context the level falls, by 20 dB or more within 150 ms."""
    sound = tone(16_000)
    filled = conceal(sound, np.array([[4_000, 12_000]]), RATE, how(method)).astype(float)
    level = [np.sqrt(np.square(filled[at : at + 400]).mean()) for at in (4_000, 5_200, 6_400)]
    before = np.sqrt(np.square(sound[3_600:4_000].astype(float)).mean())
    assert level[1] <= 0.1 * before
    assert level[2] <= 0.1 * level[1] + 1
    assert np.abs(filled).max() <= 1.5 * np.abs(sound).max()


def test_filling_from_both_sides_is_symmetric_in_time() -> None:
    sound, gap = tone(6_000), np.array([[2_500, 2_700]])
    backwards = conceal(sound[::-1].copy(), len(sound) - gap[:, ::-1], RATE, how("blend"))
    difference = conceal(sound, gap, RATE, how("blend")) - backwards[::-1].astype(int)
    assert np.abs(difference).max() <= 1


def test_filled_samples_are_context_of_the_next_gap() -> None:
    context: list[np.ndarray] = []

    def note(history: np.ndarray, count: int, sample_rate: int) -> np.ndarray:
        context.append(history.copy())
        return np.full(count, 123.0)

    filled = conceal(tone(2_000), np.array([[500, 540], [600, 640]]), RATE, GapFiller(note))
    assert np.array_equal(context[1], filled[:600])


def test_filling_is_clipped_not_wrapped() -> None:
    def loud(history: np.ndarray, count: int, sample_rate: int) -> np.ndarray:
        return np.full(count, 1e6)

    filled = conceal(tone(2_000), np.array([[500, 540]]), RATE, GapFiller(loud))
    assert (filled[500:540] == 32_767).all()


def test_the_same_seed_fills_alike_and_another_does_not() -> None:
    sound, gaps = noise(2_000), np.array([[1_000, 1_200]])
    first, again, other = (conceal(sound, gaps, RATE, how("model", seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_gap_is_reported() -> None:
    message = itertools.count()
    conceal(
        tone(2_000),
        np.array([[500, 540], [600, 640]]),
        RATE,
        GapFiller(autoregression),
        lambda: next(message),
    )
    assert next(message) == 2


def test_a_model_must_be_there_and_of_samples() -> None:
    frames = SpectrogramConfig(
        kind="spectrogram", sample_rate=RATE, n_mels=20, window_length=200, hop_length=80
    )
    with pytest.raises(UserError, match="a model is needed"):
        filler("model")
    with pytest.raises(UserError, match="too coarse for gaps"):
        filler("model", tiny_model(frames))
