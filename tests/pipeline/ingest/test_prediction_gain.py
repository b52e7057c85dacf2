"""The prediction gain distinguishes white noise from all sound that can be predicted in part."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from pipeline.audio.decode import open_decoding
from pipeline.ingest.prediction_gain import BLOCK, PredictionGain, block_gains_db, prediction_errors
from tests.helpers.builders import noise

LEAST_DB = 1.0
RATE = 8_000
TIME_S = np.arange(2 * RATE) / RATE


def gain_db(samples: np.ndarray, piece: int = 10_000) -> float:
    measured = PredictionGain()
    for begin in range(0, len(samples), piece):
        measured.add(samples[begin : begin + piece].round().clip(-32_768, 32_767).astype(np.int16))
    return measured.value_db()


def test_the_recursion_finds_the_errors_of_the_normal_equations() -> None:
    random = np.random.default_rng(0)
    signals = lfilter([1.0], [1.0, -0.7, 0.2], random.standard_normal((3, 200)))
    lags = np.stack([[each[: 200 - lag] @ each[lag:] for lag in range(9)] for each in signals])
    wanted = [row[0] - solve_toeplitz(row[:8], row[1:]) @ row[1:] for row in lags]
    assert prediction_errors(lags) == pytest.approx(np.array(wanted))


@pytest.mark.parametrize("weight", [0.3, 0.6, 0.9])
def test_an_autoregressive_signal_has_its_known_gain(weight: float) -> None:
    signal = lfilter([1.0], [1.0, -weight], noise(100 * BLOCK))
    wanted = -10 * math.log10(1 - weight**2)
    assert block_gains_db(signal.reshape(-1, BLOCK)).mean() == pytest.approx(wanted, abs=0.2)
    assert gain_db(signal) > wanted


@pytest.mark.parametrize("count", [BLOCK, 5_000, 100_000])
@pytest.mark.parametrize("std", [100.0, 3_000.0, 30_000.0])
def test_white_noise_has_no_gain(count: int, std: float) -> None:
    for seed in range(10):
        assert gain_db(noise(count, seed, std)) < 0.4
        assert gain_db(noise(count, seed, std) + 500.0) < 0.4


@pytest.mark.parametrize(
    "samples",
    [
        9_000 * np.sin(2 * np.pi * 3_900 * TIME_S),
        9_000 * np.sin(2 * np.pi * 975 * TIME_S**2),
        np.where(np.arange(2 * RATE) < 4_000, 3_000 * np.sin(2_000 * TIME_S), noise(2 * RATE)),
        np.concatenate([np.zeros(4_000), noise(6_000)]),
        np.zeros(5_000),
        np.full(5_000, 20_000.0),
        np.eye(1, 20_000, 9_999)[0] * 30_000,
        noise(5_000, std=1.0),
        noise(100),
        noise(0),
    ],
    ids=[
        *("high tone", "glide over all frequencies", "noise behind a tone", "noise behind silence"),
        *("silence", "constant", "click", "noise of a converter", "too short", "nothing"),
    ],
)
def test_sound_and_silence_are_not_taken_for_noise(samples: np.ndarray) -> None:
    assert gain_db(samples) > 2 * LEAST_DB


def test_pieces_of_any_size_give_the_same_gain() -> None:
    samples = lfilter([1.0], [1.0, -0.5], noise(20_000))
    wanted = gain_db(samples, 20_000)
    for piece in (333, BLOCK, BLOCK + 1):
        assert gain_db(samples, piece) == pytest.approx(wanted)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_real_speech_and_music_are_far_above_the_smallest_gain(shared_data: Path, rate: int) -> None:
    paths = [
        *sorted((shared_data / "speech/fsdd").rglob("*.wav"))[::10],
        *sorted((shared_data / "speech/librispeech_train-clean-100").rglob("*.flac"))[::10],
        *sorted((shared_data / "formats/real").glob("*.flac")),
    ]
    assert len(paths) > 100
    for path in paths:
        measured = PredictionGain()
        with open_decoding(path) as recording:
            for block in recording.blocks(rate):
                measured.add(block)
        assert measured.value_db() > 3 * LEAST_DB, path
