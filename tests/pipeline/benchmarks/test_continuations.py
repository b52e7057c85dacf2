"""Continuations measured against what truly followed: the measures, and a table over a grid of settings."""

import numpy as np
import pytest

from pipeline.benchmarks.continuations import continuation_table, voiced_share
from pipeline.config.inputs import WaveformConfig
from pipeline.errors import UserError
from tests.helpers.builders import noise, tiny_model, tone

RATE = 8_000


def pulses(pitch_hz: float) -> np.ndarray:
    """A second of a buzz, rich in overtones as a voice is."""
    times_s = np.arange(RATE) / RATE
    overtones = sum(np.sin(2 * np.pi * n * pitch_hz * times_s) / n for n in range(1, 10))
    return np.asarray(np.round(3_000 * overtones), np.int16)


@pytest.mark.parametrize("pitch_hz", [80.0, 120.0, 220.0, 380.0])
def test_a_buzz_is_voiced_at_any_pitch_of_speech_and_noise_is_not(pitch_hz: float) -> None:
    assert voiced_share(pulses(pitch_hz), RATE, -20.0) == 1.0
    assert voiced_share(noise(RATE), RATE, -30.0) < 0.1


def test_what_is_far_below_the_context_is_a_pause() -> None:
    assert voiced_share(pulses(120.0) // 100, RATE, -20.0) == 0.0
    assert voiced_share(np.zeros(10, np.int16), RATE, -20.0) == 0.0


def test_the_table_has_each_pair_of_settings_each_rule_and_the_truth() -> None:
    model = tiny_model(WaveformConfig(sample_rate=RATE))
    recordings = [tone(2 * RATE, seed) for seed in range(2)]
    table = continuation_table(model, [*recordings, tone(RATE)], 0.5, (0.9, 1.0), (0.5, 1.0), takes=3)
    assert table["recordings"] == 2
    pairs = [(row["temperature"], row["noise_scale"]) for row in table["settings"]]
    assert pairs == [(0.9, 0.5), (0.9, 1.0), (1.0, 0.5), (1.0, 1.0)]
    assert table["settings"][0]["level_db"] < table["settings"][1]["level_db"]
    assert [row["rule"] for row in table["rules"]] == ["seed", "likelihood", "distance to the context"]
    assert table["true"]["level_error_db"] == table["true"]["spectrum_db"] == 0
    assert table["true"]["level_db"] == pytest.approx(0, abs=0.5)
    assert table["markdown"].count("\n| ") == 12


def test_recordings_that_are_too_short_are_an_error() -> None:
    with pytest.raises(UserError, match=r"no recording is longer than 3 s"):
        continuation_table(tiny_model(WaveformConfig(sample_rate=RATE)), [tone(2 * RATE)], 2.0)
