"""Every verb on names of any kind, on places that cannot be read or written, on models that are none."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import Run
from tests.helpers.commands import SUFFIXES, arguments, hidden, message, read

NAMES = [
    *(
        "--output.wav",
        "-o",
        "with space",
        "100%s %d",
        "[x].wav",
        "*.wav",
        "ünï €日本",
        "~",
        "~nobody.wav",
        "a#b",
    ),
    *("line\nbreak.wav", "\x1b[31mred", "$x_{$.wav", "x" * 251 + ".wav", os.fsdecode(b"\xff\xfe.wav")),
]


@pytest.mark.thinned(4)
@pytest.mark.parametrize("verb", SUFFIXES)
def test_any_name_will_do(
    wavecast: Run, verb: str, good: Path, sound_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = good
    if verb == "decompress":
        wavecast(*arguments("compress", good, tmp_path / "good.wcz", sound_model))
        source = tmp_path / "good.wcz"
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for name in NAMES if verb != "spectrogram" else NAMES[-9:]:
        shutil.copy(source, name)
        output = tmp_path / "out" / f"{Path(name).stem[:240]}{SUFFIXES[verb]}"
        outcome = wavecast(*arguments(verb, name, output, sound_model))
        assert (outcome.code, outcome.error) == (0, ""), name
        read(output)
        if verb in ("predict", "score", "spectrogram"):
            Path(name).write_bytes(b"no sound")
            outcome = wavecast(*arguments(verb, name, tmp_path / "bad" / output.name, sound_model))
            assert outcome.code == 1
            message(outcome, "Format not recognised" if shutil.which("ffmpeg") is None else "")
    assert not hidden(tmp_path)
    assert not (tmp_path / "bad").exists()


EVIL = [
    *("\x1b]0;x\x07", "\u202egnp\u2066", "a\nb\r", "\x9b31m", "[red]x", "[x](javascript:alert(1))"),
    *("<img src=x onerror=alert(1)>", "**b** `c` | #d", '=1+1,";\t', "$x_{$%s", "\u2028"),
]
"""Names with what terminals, tables, Markdown, HTML, spreadsheets and addresses take for more than a name."""


@pytest.mark.thinned(3)
@pytest.mark.parametrize("verb", [*SUFFIXES, "doctor", "prepare"])
def test_no_name_controls_the_terminal(
    wavecast: Run, verb: str, sound_model: Path, good: Path, tmp_path: Path
) -> None:
    """What is printed for people has each control character, and each change of direction, as an escape."""
    folder = tmp_path / "in\x1b[31m"
    folder.mkdir()
    source = good
    if verb == "decompress":
        source = good.with_suffix(".wcz")
        wavecast(*arguments("compress", good, source, sound_model))
    for name in EVIL if verb != "spectrogram" else EVIL[:3]:
        shutil.copy(source, folder / f"{name}{source.suffix}")
        (folder / f"{name} bad{source.suffix}").write_bytes(b"no sound")
    output = tmp_path / f"out{'.csv' if verb == 'score' else ''}"
    calls: dict[str, list[object]] = {
        "doctor": ["doctor", folder, *folder.iterdir(), "-m", sound_model],
        "prepare": ["prepare", folder, "--set", "corpus.group=recording"],
    }
    call = calls.get(verb) or arguments(verb, folder, output, sound_model, "--overwrite")
    outcome = wavecast(*call)
    printed = outcome.out + outcome.error
    assert "x1b" in printed
    assert not [mark for mark in "\x1b\x07\x9b\r\u202e\u2066\u2028" if mark in printed]
    if verb not in ("spectrogram", "prepare"):
        assert "[red]x" in printed
    outcome = wavecast(call[0], "--json", *call[1:])
    assert json.loads(outcome.out)
    assert outcome.out.isascii()


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path | str]:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "locked.wav").write_bytes(b"x")
    (tmp_path / "locked.wav").chmod(0)
    return {
        "absent": tmp_path / "absent.wav",
        "empty folder": tmp_path / "folder",
        "empty name": "",
        "long name": "x" * 300,
        "deep name": "x/" * 3_000,
        "zero byte": "a\0b",
        "pipe": tmp_path / "pipe.wav",
        "locked": tmp_path / "locked.wav",
        "device": "/dev/zero",
        "home of nobody": "~nobody-is-called-so/x.wav",
        "pattern without a match": str(tmp_path / "*.opus"),
    }


@pytest.mark.parametrize("verb", SUFFIXES)
def test_unreadable_input_is_reported(
    wavecast: Run, verb: str, places: dict[str, Path | str], sound_model: Path, tmp_path: Path
) -> None:
    for what, source in places.items():
        outcome = wavecast(*arguments(verb, source, tmp_path / f"new{SUFFIXES[verb]}", sound_model))
        assert outcome.code == (2 if what == "empty name" else 1), what
        message(outcome, "")
        assert not outcome.out
    assert not list(tmp_path.glob("*new*"))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("verb", [*SUFFIXES, "generate", "export", "report"])
def test_unwritable_output_is_reported(
    wavecast: Run, verb: str, good: Path, sound_model: Path, tmp_path: Path, places: dict[str, Path | str]
) -> None:
    source: Path | str = good
    if verb == "decompress":
        wavecast(*arguments("compress", good, tmp_path / "good.wcz", sound_model))
        source = tmp_path / "good.wcz"
    suffix = SUFFIXES.get(verb) or {"generate": ".ogg", "export": ".onnx", "report": ".html"}[verb]
    folder, pipe = tmp_path / f"folder{suffix}", tmp_path / f"a-pipe{suffix}"
    folder.mkdir()
    os.mkfifo(pipe)
    before = sorted(tmp_path.rglob("*"))
    for output in (folder, pipe, good / f"x{suffix}", Path("/proc/none") / f"x{suffix}"):
        call: dict[str, list[Any]] = {
            "generate": ["generate", "-o", output, "-m", sound_model, "--seconds", "0.01", "--overwrite"],
            "export": ["export", "-o", output, "-m", sound_model, "--check", "1", "--overwrite"],
            "report": ["report", sound_model, "-o", output, "--overwrite"],
        }
        outcome = wavecast(*(call.get(verb) or arguments(verb, source, output, sound_model, "--overwrite")))
        assert outcome.code == 1, outcome
        message(outcome, str(output) if output in (folder, pipe) else "")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("verb", ["predict", "conceal", "compress"])
def test_a_recording_is_never_replaced_by_its_result(
    wavecast: Run, verb: str, good: Path, sound_model: Path, tmp_path: Path
) -> None:
    content = good.read_bytes()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good.wav").hardlink_to(good)
    shutil.copy(good, folder / "other.wav")
    calls = [(good, good), (good, folder / "good.wav"), *([] if verb == "compress" else [(folder, folder)])]
    for source, output in calls:
        outcome = wavecast(*arguments(verb, source, output, sound_model, "--overwrite"))
        assert outcome.code == 1
        message(outcome, "is read itself")
        assert good.read_bytes() == content
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("verb", ["export", "report", "predict", "score", "generate"])
def test_a_wrong_model_is_reported(wavecast: Run, verb: str, good: Path, tmp_path: Path) -> None:
    wrong: list[Path] = [good, tmp_path, tmp_path / "absent", write_folder(tmp_path / "garbage")]
    calls: dict[str, Callable[[Path], list[Any]]] = {
        "export": lambda path: ["-m", path],
        "report": lambda path: [path],
        "predict": lambda path: [good, "-m", path],
        "score": lambda path: [good, "-m", path],
        "generate": lambda path: ["-m", path],
    }
    for path in wrong:
        suffix = {"export": ".onnx", "report": ".html", "score": ".csv"}.get(verb, ".wav")
        outcome = wavecast(verb, *calls[verb](path), "-o", tmp_path / f"x{suffix}")
        assert outcome.code == 1
        message(outcome, str(path))
    assert not list(tmp_path.glob("*x.*"))


def write_folder(folder: Path) -> Path:
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes(b"\x00garbage")
    return folder
