"""Side files are recognised without starting anything, and a damaged recording is never one of them."""

import codecs
import gzip
import io
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.run import CorpusConfig
from pipeline.data.corpora.corpus import find_corpus
from pipeline.data.corpora.side_files import is_side_file
from tests.helpers.builders import noise, write_sound


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.wav", b"RIFF")
    return file.getvalue()


SIDE = {
    "0001.txt": b"Please call Stella.\n",
    "0001": "Bitte rufen Sie Jürgen an.\n".encode("latin-1"),
    "0001.TextGrid": codecs.BOM_UTF16_LE + "File type".encode("utf-16-le"),
    "SPEAKERS": "Zoë\n".encode(),
    "empty": b"",
    "page": b"%PDF-1.4\n%\xe2\xe3",
    "picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "archive": _zip(),
    "lines": gzip.compress(b"text"),
    "pitch.npy": b"\x93NUMPY\x01\0v\0",
    "README": b"\0\1\2",
}


@pytest.mark.parametrize("name", SIDE)
def test_texts_pictures_and_archives_are_side_files(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(SIDE[name])
    assert is_side_file(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.wav", b"this is no sound"),
        ("empty.flac", b""),
        ("zeros.mp3", bytes(64)),
        ("archive.ogg", _zip()),
        ("misnamed.txt", b"RIFF\x24\0\0\0WAVEfmt "),
        ("cut.csv", b"fLaC\0\0"),
        ("unnamed", b"OggS\0\x02"),
        ("clip.bin", b"\0\0\0\x20ftypM4A "),
        ("unknown", bytes(range(256))),
    ],
)
def test_what_has_the_name_or_the_first_bytes_of_audio_is_a_recording(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert not is_side_file(tmp_path / name)


def test_no_process_is_started_and_the_files_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr(os, "posix_spawn", lambda *_, **__: pytest.fail("a process was started"))
    for number in range(3):
        write_sound(tmp_path / f"speaker{number}" / "a.wav", noise(100, number))
        (tmp_path / f"speaker{number}" / "a.txt").write_text("words")
    (tmp_path / "speakers.csv").write_text("id,age\n")
    np.save(tmp_path / "speaker0" / "f0", np.zeros(3))
    corpus = find_corpus(CorpusConfig(inputs=[tmp_path]))
    assert corpus.side_files == 5
    assert corpus.remarks[-1] == "5 files that are no recordings were left out (3 .txt, 1 .csv, 1 .npy)"
