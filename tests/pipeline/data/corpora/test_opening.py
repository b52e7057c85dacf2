"""A part of a recording is exactly its samples, however the file is coded, and costs no more than itself."""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.decode import read_mono
from pipeline.data.corpora.opening import open_source
from pipeline.data.corpora.source import Source
from pipeline.errors import RecordingRejected

RATE = 8_000


def sound(path: Path, seconds: float = 6.0, channels: int = 1, subtype: str | None = None) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, (round(seconds * RATE), channels))
    soundfile.write(path, noise, RATE, subtype=subtype)
    return path


def samples(source: Source, rate: int = RATE) -> np.ndarray:
    with open_source(source) as recording:
        return recording.read(rate)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("a.wav", "PCM_16"),
        ("a.wav", "DOUBLE"),
        ("a.wav", "MS_ADPCM"),
        ("a.flac", "PCM_24"),
        ("a.mp3", None),
        ("a.ogg", None),
    ],
)
def test_a_segment_is_a_slice_of_the_whole(tmp_path: Path, name: str, subtype: str | None) -> None:
    path = sound(tmp_path / name, subtype=subtype)
    whole, _ = read_mono(path, RATE)
    for start, seconds in ((0.0, 1.25), (1.0, 2.0), (4.75, None), (5.9, 0.1)):
        first = round(start * RATE)
        end = len(whole) if seconds is None else round((start + seconds) * RATE)
        assert np.array_equal(samples(Source(path, None, None, start, seconds)), whole[first:end])


def test_neighbouring_segments_share_and_lose_nothing(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.wav")
    cuts = [0, 0.33333, 1.00006, 2.7777777, 4.1, 6.0]
    parts = [samples(Source(path, None, None, a, b - a)) for a, b in pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), read_mono(path, RATE)[0])


def test_one_channel(tmp_path: Path) -> None:
    path = sound(tmp_path / "c.wav", channels=2)
    both, _ = soundfile.read(path, dtype="int16")
    assert np.array_equal(samples(Source(path, None, None, 1.0, 1.0, channel=1)), both[RATE : 2 * RATE, 1])
    with pytest.raises(RecordingRejected, match="channel 3 is asked for, the file has 2"):
        samples(Source(path, None, None, channel=2))


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_times_beyond_the_end(tmp_path: Path, name: str) -> None:
    path = sound(tmp_path / name)
    with pytest.raises(RecordingRejected, match=r"begins at 9.000 s, but the file ends at 6\.\d+ s"):
        samples(Source(path, None, None, 9.0, 1.0))
    with pytest.raises(RecordingRejected, match=r"ends at 8.000 s, but the file ends at 6\.\d+ s"):
        samples(Source(path, None, None, 4.0, 4.0))
    with open_source(Source(path, None, None, 4.0, 2.3)) as recording:
        assert len(recording.read(RATE)) == pytest.approx(2 * RATE, abs=0.2 * RATE)
        assert [note.code for note in recording.facts.notes] == ["past-end"]


def test_a_known_reason_is_the_reason(tmp_path: Path) -> None:
    with pytest.raises(RecordingRejected, match="its duration is -1"):
        samples(Source(tmp_path / "a.wav", None, None, reason="its duration is -1"))


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
def test_many_segments_do_not_each_decode_the_file(tmp_path: Path, name: str) -> None:
    path = sound(tmp_path / name, seconds=300)
    began = time.perf_counter()
    read_mono(path, RATE)
    whole_s, count = time.perf_counter() - began, 100
    began = time.perf_counter()
    for number in range(count):
        samples(Source(path, None, None, 3.0 * number, 0.5))
    assert time.perf_counter() - began < count * whole_s / 3
