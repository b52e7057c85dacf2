"""The spectrogram of a recording as array and picture: the right frames, times and frequencies."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from matplotlib.image import imread
from numpy.typing import NDArray

from pipeline.cli.commands.audio.spectrogram import spectrogram
from pipeline.config.inputs import SpectrogramConfig
from pipeline.errors import RecordingRejected, UserError
from pipeline.export.spectrogram_files import (
    MOST_COLUMNS,
    Frames,
    band_frequencies,
    columns,
    write_spectrogram,
)
from pipeline.features.spectrogram_frames import SpectrogramFrames
from tests.helpers.builders import noise, write_sound

RATE = 16_000
LINEAR = {"n_mels": 0, "window_length": 512}


def settings(**changes: Any) -> SpectrogramConfig:
    return SpectrogramConfig(**{"kind": "spectrogram", **changes})


def sine(frequency_hz: float, seconds: float = 1.0) -> NDArray[np.int16]:
    time_s = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(16_384 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.int16)


@pytest.mark.parametrize("changes", [{}, LINEAR, {"min_frequency_hz": 200, "max_frequency_hz": 7000.0}])
@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_the_array_is_the_analysis_of_the_samples(
    changes: dict[str, Any], suffix: str, tmp_path: Path
) -> None:
    samples, config = noise(200_003), settings(**changes)
    path = tmp_path / f"frames{suffix}"
    facts = write_spectrogram(write_sound(tmp_path / "a.wav", samples, RATE), config, array=path)
    stored = np.load(path)
    frames = stored["frames"] if suffix == ".npz" else stored
    assert np.array_equal(
        frames, SpectrogramFrames(config).analysis.frames(torch.from_numpy(samples)).numpy()
    )
    assert frames.shape == (facts["frames"], facts["bands"])
    if suffix == ".npz":
        assert stored["times_s"].shape == frames.shape[:1]
        assert stored["frequencies_hz"].shape == frames.shape[1:]
        assert json.loads(str(stored["settings"])) == config.model_dump(mode="json")
        assert int(stored["sample_rate"]) == RATE


def test_the_array_is_librosas(tmp_path: Path) -> None:
    samples = noise(RATE)
    write_spectrogram(write_sound(tmp_path / "a.wav", samples, RATE), settings(), array=tmp_path / "a.npz")
    expected = librosa.feature.melspectrogram(
        y=samples / np.float32(32_768),
        sr=RATE,
        n_fft=512,
        hop_length=160,
        win_length=400,
        n_mels=80,
        power=1,
        pad_mode="constant",
    )
    frames = np.load(tmp_path / "a.npz")["frames"]
    np.testing.assert_allclose(np.exp(frames.T), np.maximum(expected, 1e-3), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("changes", [{}, LINEAR])
@pytest.mark.parametrize("frequency_hz", [440.0, 1000.0, 5000.0])
def test_a_tone_peaks_at_its_frequency(frequency_hz: float, changes: dict[str, Any], tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "a.wav", sine(frequency_hz), RATE)
    write_spectrogram(sound, settings(**changes), array=tmp_path / "a.npz")
    stored = np.load(tmp_path / "a.npz")
    loudest = int(stored["frames"][50].argmax())
    nearest = int(np.abs(stored["frequencies_hz"] - frequency_hz).argmin())
    assert abs(loudest - nearest) <= 1


@pytest.mark.parametrize("at_s", [0.25, 0.5, 0.93])
def test_an_impulse_is_at_its_time(at_s: float, tmp_path: Path) -> None:
    samples = np.zeros(RATE, np.int16)
    samples[round(at_s * RATE)] = 30_000
    write_spectrogram(write_sound(tmp_path / "a.wav", samples, RATE), settings(), array=tmp_path / "a.npz")
    stored = np.load(tmp_path / "a.npz")
    assert stored["times_s"][int(stored["frames"].sum(1).argmax())] == pytest.approx(at_s)


def test_linear_bins_lie_where_the_transform_has_them() -> None:
    config = settings(n_mels=0, n_fft=512, min_frequency_hz=100, max_frequency_hz=4000.0)
    expected = librosa.fft_frequencies(sr=RATE, n_fft=512)
    expected = expected[(expected >= 100) & (expected <= 4000)]
    np.testing.assert_allclose(band_frequencies(config), expected)
    assert len(expected) == SpectrogramFrames(config).analysis.dimension


@pytest.mark.parametrize("count", [1, 500, 160 * MOST_COLUMNS, 160 * 4 * MOST_COLUMNS + 7])
def test_a_column_is_the_loudest_of_its_frames(count: int, tmp_path: Path) -> None:
    config, samples = settings(n_mels=16), noise(count)
    with (tmp_path / "spool").open("w+b") as spool:
        spool.write(samples.tobytes())
        frames = Frames(config, count, spool)
        shown, column_s = columns(frames, 16)
        whole = np.concatenate(list(frames.parts()))
    stride = round(column_s * 100)
    assert len(whole) == frames.count
    assert len(shown) <= MOST_COLUMNS
    expected = [whole[i : i + stride].max(0) for i in range(0, len(whole), stride)]
    assert np.array_equal(shown, np.array(expected))


def test_a_picture_shows_a_tone_in_the_right_place(tmp_path: Path) -> None:
    samples = np.concatenate([np.zeros(RATE, np.int16), sine(6000), np.zeros(2 * RATE, np.int16)])
    config = settings(n_mels=0)
    write_spectrogram(write_sound(tmp_path / "a.wav", samples, RATE), config, picture=tmp_path / "a.png")
    picture = imread(tmp_path / "a.png")[:, :, :3]
    bright = (
        picture[:, : int(0.9 * picture.shape[1])].min(2)
        * (picture.std(2) > 0.05)[:, : int(0.9 * picture.shape[1])]
    )
    rows, found = np.nonzero(bright > 0.7 * bright.max())
    axes = np.flatnonzero((picture.sum(2) < 0.1).mean(0) > 0.4)  # the dark field of silence
    left, right = axes.min(), axes.max()
    assert (np.median(found) - left) / (right - left) == pytest.approx(1.5 / 4, abs=0.03)
    assert np.median(rows) / len(picture) == pytest.approx(0.25, abs=0.08)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("content", [np.zeros(8000, np.int16), noise(1), noise(20)])
@pytest.mark.parametrize("changes", [{}, LINEAR])
def test_silence_and_the_shortest_sounds_have_a_picture(
    content: NDArray[np.int16], changes: dict[str, Any], tmp_path: Path
) -> None:
    sound = write_sound(tmp_path / "a.wav", content, RATE)
    write_spectrogram(sound, settings(**changes), tmp_path / "a.png", tmp_path / "a.npz")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    peaks = []
    for minutes in (10, 40):
        sound = write_sound(tmp_path / "a.flac", np.tile(noise(RATE * 60), minutes), RATE)
        tracemalloc.start()
        write_spectrogram(sound, settings(), tmp_path / "a.png", tmp_path / "a.npy")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_the_command_writes_what_the_names_ask_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = str(write_sound(tmp_path / "in" / "a.wav", sine(440), RATE))
    spectrogram((sound,), output=tmp_path / "a.png", array=tmp_path / "b.npz")
    spectrogram((sound,), output=tmp_path / "c.npz", settings=("input.n_mels=40",))
    spectrogram((sound,), output=tmp_path / "d.npy", linear=True)
    assert (tmp_path / "a.png").is_file()
    shapes = [np.load(tmp_path / name)["frames"].shape for name in ("b.npz", "c.npz")]
    assert [*shapes, np.load(tmp_path / "d.npy").shape] == [(101, 80), (101, 40), (101, 257)]
    capsys.readouterr()
    spectrogram((sound,), output=tmp_path / "e.npz", json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["frames"], facts["bands"], facts["seconds"], facts["picture"]) == (101, 80, 1.0, None)


def test_several_sounds_go_to_a_folder_and_a_bad_one_stops_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "deeper/b.wav"):
        write_sound(tmp_path / "in" / name, sine(440), RATE)
    (tmp_path / "in" / "bad.wav").write_text("no sound")
    with pytest.raises(SystemExit) as left:
        spectrogram((str(tmp_path / "in"),), output=tmp_path / "out", array=tmp_path / "arrays")
    assert left.value.code == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.out.count("\n") == 2
    written = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if "in" not in path.parts[-3:]
    }
    assert {"out/a.png", "out/deeper/b.png", "arrays/a.npz", "arrays/deeper/b.npz"} <= written


def test_wrong_options_are_one_line(tmp_path: Path) -> None:
    sound = str(write_sound(tmp_path / "a.wav", sine(440), RATE))
    (tmp_path / "there.png").write_text("mine")
    orders: list[dict[str, Any]] = [
        {},
        {"output": tmp_path / "a.jpg"},
        {"output": tmp_path / "a.npz", "array": tmp_path / "b.npz"},
        {"output": tmp_path / "there.png"},
        {"output": tmp_path / "a.png", "config": Path("base")},
        {"output": tmp_path / "a.png", "settings": ("input.n_mels=4000",)},
        {"output": tmp_path / "a.png", "settings": ("input.n_fft=100",)},
    ]
    for order in orders:
        with pytest.raises(UserError):
            spectrogram((sound,), **order)
    with pytest.raises(UserError):
        spectrogram((sound, str(tmp_path / "*.wav"), str(tmp_path)), output=tmp_path / "a.png")
    with pytest.raises(RecordingRejected):
        write_spectrogram(tmp_path / "none.wav", settings(), array=tmp_path / "a.npy")
    assert (tmp_path / "there.png").read_text() == "mine"
    assert not list(tmp_path.glob("a.n*"))
