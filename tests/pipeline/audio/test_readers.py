"""A further reader is one object in the list of readers."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.audio.decode import probe, read_mono
from pipeline.audio.reader import AudioInfo, Availability, CannotRead, Note, Reader
from pipeline.audio.readers import READERS
from pipeline.audio.write import write_audio
from pipeline.diagnostics.installation import examine_installation
from tests.helpers.recordings import RATE, noise, refusal

MARK = b"ramp"


class Ramp:
    """A recording of bytes, each a sample, behind four bytes that mark it."""

    holds_int16 = False
    holds_float64 = False

    def __init__(self, data: bytes, notes: tuple[Note, ...]) -> None:
        self._data, self.notes = data, notes
        self.info = AudioInfo(RATE, 1, len(data), "ramp", "bytes", "ramp reader")

    def blocks(self, dtype: str) -> Iterator[npt.NDArray[Any]]:
        yield (np.frombuffer(self._data, np.int8)[:, None] / 128).astype(dtype)


@contextmanager
def open_ramp(path: Path, file: BufferedReader, notes: tuple[Note, ...]) -> Iterator[Ramp]:
    data = file.read()
    if not data.startswith(MARK):
        raise CannotRead("no mark")
    yield Ramp(data.removeprefix(MARK), notes)


RAMP = Reader("ramp reader", open_ramp, lambda: Availability("fine", "Ramps can be read."))


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[Reader]:
    """The list of readers with one more, put back afterwards."""
    monkeypatch.setattr("pipeline.audio.readers.READERS", [*READERS, RAMP])
    monkeypatch.setattr("pipeline.diagnostics.installation.READERS", [*READERS, RAMP])
    return [*READERS, RAMP]


@pytest.mark.usefixtures("registered")
def test_a_new_reader_reads_what_the_others_cannot(tmp_path: Path) -> None:
    path = tmp_path / "sound.ramp"
    path.write_bytes(MARK + bytes(range(100)))
    samples, facts = read_mono(path, RATE)
    assert samples.tolist() == [256 * n for n in range(100)]
    assert probe(path) == facts.info == AudioInfo(RATE, 1, 100, "ramp", "bytes", "ramp reader")
    (finding,) = (f for f in examine_installation().findings if f.name == "ramp reader")
    assert finding.what == "Ramps can be read."


@pytest.mark.usefixtures("registered")
def test_readers_are_tried_in_their_order_and_each_reason_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audio(tmp_path / "a.wav", noise(500), RATE)
    assert probe(tmp_path / "a.wav").decoder == "libsndfile"
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "b.m4a").write_bytes(b"not known to any" * 9)
    assert refusal(tmp_path / "b.m4a") == (
        "not readable by libsndfile (Format not recognised) nor by ramp reader (no mark)"
        " and ffmpeg is not installed"
    )
