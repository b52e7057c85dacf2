"""A stream can be played, ends at its length or when the pipe closes, and leaves no partial file."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.config.inputs import SpectrogramConfig, WaveformConfig
from pipeline.errors import UserError
from pipeline.generation.generate import continue_samples
from pipeline.generation.options import SamplingOptions
from pipeline.generation.streaming import stream_to_file, stream_to_pipe
from pipeline.model.storage import save_model
from tests.helpers.builders import tiny_model

SOUND = WaveformConfig(sample_rate=8_000)
NOTHING = np.zeros(0, np.int16)


def expected(count: int) -> np.ndarray:
    return continue_samples(tiny_model(SOUND), NOTHING, count / 8_000, SamplingOptions(seed=4)).added[0]


def test_a_stream_is_a_wav_file_of_open_length() -> None:
    pipe = io.BytesIO()
    stream_to_pipe(tiny_model(SOUND), SamplingOptions(seed=4), 1.0, pipe, raw=False)
    context, rate = soundfile.read(io.BytesIO(pipe.getvalue()), dtype="int16")
    assert rate == 8_000
    assert np.array_equal(context, expected(8_000))


def test_a_bare_stream_is_the_samples_alone() -> None:
    pipe = io.BytesIO()
    stream_to_pipe(tiny_model(SOUND), SamplingOptions(seed=4), 0.3, pipe, raw=True)
    assert np.array_equal(np.frombuffer(pipe.getvalue(), "<i2"), expected(2_400))


def test_a_file_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    stream_to_file(tiny_model(SOUND), SamplingOptions(seed=4), 0.5, tmp_path / "new" / "x.flac")
    context, _ = soundfile.read(tmp_path / "new" / "x.flac", dtype="int16")
    assert np.array_equal(context, expected(4_000))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.flac"]


def test_a_spectrogram_is_no_stream(tmp_path: Path) -> None:
    model = tiny_model(SpectrogramConfig(kind="spectrogram", sample_rate=8_000, n_mels=8))
    with pytest.raises(UserError, match="spectrogram"):
        stream_to_file(model, SamplingOptions(), 0.5, tmp_path / "x.wav")
    assert not list(tmp_path.iterdir())


def streaming(tmp_path: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    model = tiny_model(SOUND)
    save_model(tmp_path / "model", model.network.state_dict(), SOUND, model.model, model.normalisation, {})
    command = [
        sys.executable,
        "-m",
        "pipeline.cli.main",
        "generate",
        "--stream",
        "-m",
        str(tmp_path / "model"),
    ]
    return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_an_endless_stream_ends_without_an_error_when_the_pipe_closes(tmp_path: Path) -> None:
    with streaming(tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        head = process.stdout.read(200_000)
        process.stdout.close()
        assert process.wait(30) in (1, -signal.SIGPIPE)
        assert process.stderr.read() == b""
    assert head.startswith(b"RIFF")


def test_an_endless_file_is_whole_when_interrupted(tmp_path: Path) -> None:
    with streaming(tmp_path, "-o", str(tmp_path / "out" / "x.wav")) as process:
        deadline = time.monotonic() + 60
        while not any(file.stat().st_size > 50_000 for file in (tmp_path / "out").glob(".x*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not (tmp_path / "out" / "x.wav").exists()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    context, _ = soundfile.read(tmp_path / "out" / "x.wav", dtype="int16")
    assert len(context) > 20_000
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x.wav"]
