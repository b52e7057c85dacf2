"""Commands that are stopped, or find no room or no reader: a line or nothing, and never half of a file."""

import functools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.audio.write import FORMATS, write_audio
from pipeline.common.files import atomic_path
from pipeline.compression.pcm_files import examine, integers_file
from pipeline.errors import UserError
from tests.helpers.builders import noise, write_sound
from tests.helpers.commands import hidden, saved_model

LONG = {
    "compress": ["compress", "{sound}", "-m", "{model}", "-o", "{out}/x.wcz"],
    "score": ["score", "{sound}", "-m", "{model}", "-o", "{out}/x.csv", "--window", "0.001"],
    "predict": ["predict", "{sound}", "-m", "{model}", "--seconds", "20000", "-o", "{out}/x.flac"],
    "conceal": ["conceal", "{sound}", "--gaps", "{gaps}", "--method", "ar", "-o", "{out}/x.wav"],
    "spectrogram": ["spectrogram", "{sound}", "-o", "{out}/x.npz"],
}


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("things")
    gaps = [f"{start}.1,{start}.3" for start in range(899)]
    (folder / "gaps.csv").write_text("\n".join(["start_s,end_s", *gaps]))
    return {
        "model": saved_model(folder / "model"),
        "sound": write_sound(folder / "long.wav", noise(900 * 8_000)),
        "short": write_sound(folder / "short.wav", noise(8_000)),
        "gaps": folder / "gaps.csv",
    }


def begin(arguments: list[str], **more: Any) -> "subprocess.Popen[str]":
    """`wavecast` in a process of its own."""
    command = [sys.executable, "-m", "pipeline.cli.main", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **{**pipes, **more})


def long_call(command: str, things: dict[str, Path], out: Path) -> list[str]:
    return [part.format(**things, out=out) for part in LONG[command]]


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes meanwhile; that is also true of what the tests print."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("missing", [1, 1_000, 5_000])
def test_a_sound_file_whose_end_finds_no_room_is_not_kept(tmp_path: Path, suffix: str, missing: int) -> None:
    sound = noise(20_000)
    write_audio(tmp_path / f"whole{suffix}", sound, 8_000)
    room = (tmp_path / f"whole{suffix}").stat().st_size - missing
    refused = pytest.raises(UserError, match=f"cut{suffix}: cannot be written")
    with little_room(room), refused:
        write_audio(tmp_path / f"cut{suffix}", sound, 8_000)
    assert [path.name for path in tmp_path.iterdir()] == [f"whole{suffix}"]


def test_restored_sound_whose_end_finds_no_room_is_not_kept(tmp_path: Path) -> None:
    source = write_sound(tmp_path / "source.flac", noise(20_000))
    samples = np.asarray(soundfile.read(source, dtype="int16", always_2d=True)[0], np.int32)
    facts = examine(source)
    with (
        little_room(source.stat().st_size - 100),
        pytest.raises(UserError, match=r"cut\.flac: cannot be written"),
        integers_file(tmp_path / "cut.flac", facts) as write,
    ):
        write(samples)
    assert list(tmp_path.iterdir()) == [source]


def test_a_folder_or_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, what in (("pipe", "a device or a pipe"), ("folder", "a folder")):
        with pytest.raises(UserError, match=what), atomic_path(tmp_path / name):
            pytest.fail("nothing is to be written")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("length", [200, 251, 255])
def test_a_name_may_be_as_long_as_names_may_be(tmp_path: Path, length: int) -> None:
    target = tmp_path / ("x" * (length - 4) + ".wav")
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert not hidden(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("command", LONG)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda sent: sent.name)
@pytest.mark.parametrize("after_s", [0.7, 1.5])
def test_stopped_it_leaves_no_half_file(
    command: str, sent: signal.Signals, after_s: float, things: dict[str, Path], tmp_path: Path
) -> None:
    context = functools.partial(signal.signal, sent, signal.SIG_DFL)  # in the background, SIGINT is ignored
    child = begin(
        long_call(command, things, tmp_path), preexec_fn=None if sent == signal.SIGKILL else context
    )
    time.sleep(after_s)
    child.send_signal(sent)
    _, error = child.communicate(timeout=60)
    if child.returncode == 0:
        pytest.skip("it was done before")
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    if sent != signal.SIGKILL:
        assert not hidden(tmp_path)
        assert error == "wavecast: stopped\n"
        # Interrupted within an `exec`, as in making a data class, Python ends by the signal: 130 to a shell.
        assert child.returncode in (130, -signal.SIGINT)


@pytest.mark.slow
def test_a_stream_to_a_file_ends_whole_when_it_is_stopped(things: dict[str, Path], tmp_path: Path) -> None:
    child = begin(["generate", "--stream", "-m", str(things["model"]), "-o", f"{tmp_path}/x.flac"])
    while not hidden(tmp_path):
        time.sleep(0.1)
    time.sleep(0.5)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)
    assert child.returncode == 0
    assert not hidden(tmp_path)
    assert soundfile.info(tmp_path / "x.flac").frames > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("no file system of 100 KB can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", LONG)
def test_a_full_disk_is_reported_in_a_line(command: str, things: dict[str, Path], small_disk: Path) -> None:
    arguments = long_call(command, things, small_disk)
    child = begin([{"20000": "60"}.get(part, part) for part in arguments])
    _, error = child.communicate(timeout=300)
    assert child.returncode == 1
    assert "No space left" in error
    assert error.startswith(f"wavecast: {small_disk}/x.")
    assert len(error.splitlines()) == 1
    assert not list(small_disk.iterdir())


@pytest.mark.slow
def test_output_may_have_no_reader_and_no_room(things: dict[str, Path], tmp_path: Path) -> None:
    doctor = ["doctor", str(things["short"]), "--json"]
    reading, writing = os.pipe()
    os.close(reading)
    child = begin(doctor, stdout=writing)
    assert (child.communicate()[1], child.returncode) == ("", 1)
    os.close(writing)
    with Path("/dev/full").open("w") as full:
        child = begin(doctor, stdout=full)
        assert (
            child.communicate()[1]
            == "wavecast: standard output, or a temporary file: No space left on device\n"
        )
        assert child.returncode == 1


@pytest.mark.slow
def test_closed_streams_do_no_harm(things: dict[str, Path], tmp_path: Path) -> None:
    whole, bad = tmp_path / "x.wav", tmp_path / "y.wav"
    call = ["predict", str(things["short"]), "-m", str(things["model"]), "--seconds", "1", "-o"]

    def without_streams() -> None:
        os.closerange(0, 3)

    child = begin([*call, str(whole)], preexec_fn=without_streams)
    child.communicate()
    assert child.returncode == 0
    assert soundfile.info(whole).frames == 2 * 8_000
    child = begin([*call, str(bad), "--takes", "0"], preexec_fn=without_streams)
    assert (child.communicate(), child.returncode) == (("", ""), 2)
    child = begin(["generate", "--stream", "-m", str(things["model"])], preexec_fn=lambda: os.close(1))
    assert (child.communicate(timeout=60)[1], child.returncode) == (
        "wavecast: standard output is closed; give --output FILE\n",
        2,
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_any_name_is_printed_in_any_encoding(things: dict[str, Path], tmp_path: Path, encoding: str) -> None:
    for name in ("ünï€", os.fsdecode(b"\xff\xfe")):
        (tmp_path / name).write_bytes(things["short"].read_bytes())
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for more in ([], ["--json"]):
        child = begin(
            ["score", str(tmp_path), "-m", str(things["model"]), *more], env=environment, text=False
        )
        out, error = child.communicate()
        assert child.returncode == 0
        assert not error
        assert not more or len(json.loads(out)["recordings"]) == 2
