"""What libsndfile cannot read is read by ffmpeg, whole or not at all."""

import itertools
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.audio import ffmpeg as audio_ffmpeg
from pipeline.audio.decode import probe, read_mono
from pipeline.audio.write import write_audio
from pipeline.errors import RecordingRejected
from tests.helpers.recordings import RATE, noise, refusal


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a program named ffmpeg on the path that runs Python lines; gives a file libsndfile cannot read."""

    def make(lines: str) -> Path:
        program = tmp_path / "bin" / "ffmpeg"
        program.parent.mkdir()
        program.write_text(
            f"#!{sys.executable}\nimport os, struct, sys, time\nout = sys.stdout.buffer\n{lines}"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        (tmp_path / "-strange: name.m4a").write_bytes(b"not known to libsndfile" * 9)
        return tmp_path / "-strange: name.m4a"

    return make


HEADER = "out.write(struct.pack('>4s7I', b'.snd', 32, 2**32 - 1, 6, 16000, 2, 0, 0))\n"

LOG = "sys.stderr.write('[info] Input #0, mov,mp4, from x\\n[info] Stream #0:0: Audio: aac (LC)\\n')\n"


def test_ffmpeg_reads_what_libsndfile_cannot(stand_in: Callable[[str], Path]) -> None:
    path = stand_in(LOG + HEADER + "out.write(struct.pack('>6f', 0.5, 0.25, -1, -1, 0, 0.5))\n")
    samples, facts = read_mono(path, RATE)
    assert samples.tolist() == [12288, -32768, 8192]
    info = facts.info
    assert (info.container, info.encoding, info.decoder, info.channels) == ("mov", "aac", "ffmpeg", 2)
    assert probe(path) == info


@pytest.mark.thinned(6)
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("sys.exit(3)", r"not readable by libsndfile \(.+\) nor by ffmpeg \(exit status 3\)"),
        ("sys.stderr.write('[error] file:x: no atom\\n')", r"nor by ffmpeg \(no atom\)"),
        ("time.sleep(60)", "ffmpeg gave nothing for 1 s"),
        (HEADER + "out.flush()\ntime.sleep(60)", "ffmpeg gave nothing for 1 s"),
        (
            HEADER + "out.write(bytes(800))\nsys.stderr.write('[mov @ 1] [error] ended early\\n')",
            "damaged: ffmpeg decodes 100 frames and reports: ended early",
        ),
        (HEADER + "out.flush(); out.close(); os.close(1)\ntime.sleep(60)", "ffmpeg did not end within 1 s"),
        ("out.write(b'.snd' + bytes(20))", "its output is not the format that was asked for"),
        (
            "out.write(struct.pack('>4s7I', b'.snd', 2**32 - 1, 9, 6, 16000, 2, 0, 0))",
            "its output is not the",
        ),
        (HEADER + "while True: out.write(bytes(1 << 16))", "longer than 0.001 hours: split it"),
        (HEADER + "while True: out.write(bytes(4)); out.flush(); time.sleep(0.2)", "took more than 2 s"),
        (
            "while True: sys.stderr.write('[info] x' * 1000)",
            "damaged: ffmpeg reports more than 1,000,000 bytes",
        ),
    ],
)
def test_what_ffmpeg_cannot_read_whole_is_refused(
    stand_in: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, lines: str, reason: str
) -> None:
    monkeypatch.setattr(audio_ffmpeg, "STALL_S", 1.0)
    monkeypatch.setattr(audio_ffmpeg, "LONGEST_S", 1.5)
    monkeypatch.setattr(audio_ffmpeg, "MOST_HOURS", 0.001)
    monkeypatch.setattr(audio_ffmpeg, "MOST_LOG_BYTES", 1_000_000)
    with pytest.raises(RecordingRejected, match=reason):
        read_mono(stand_in(textwrap.dedent(lines)), RATE)


def test_ffmpeg_is_called_with_one_file_known_formats_and_limits(stand_in: Callable[[str], Path]) -> None:
    path = stand_in("open(sys.argv[0] + '.txt', 'w').write('\\n'.join(sys.argv[1:]))")
    with pytest.raises(RecordingRejected):
        read_mono(path, RATE)
    arguments = (path.parent / "bin" / "ffmpeg.txt").read_text().splitlines()
    options = dict(itertools.pairwise(arguments))
    assert options["-protocol_whitelist"] == "file"
    assert options["-timelimit"] == "3600"
    assert options["-i"] == f"file:{path}"
    assert not {"concat", "hls", "dash", "image2", "lavfi", "tee"} & {
        *options["-format_whitelist"].split(",")
    }
    for limit in ("-protocol_whitelist", "-format_whitelist"):  # options of what follows them
        assert arguments.index(limit) < arguments.index("-i")
    assert "-nostdin" in arguments
    assert arguments[-1] == "pipe:1"


def test_without_ffmpeg_the_refusal_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.m4a").write_bytes(b"not known to libsndfile" * 9)
    assert refusal(tmp_path / "a.m4a") == (
        "not readable by libsndfile (Format not recognised) and ffmpeg is not installed"
    )


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_playlist_is_no_recording_even_to_ffmpeg(tmp_path: Path) -> None:
    write_audio(tmp_path / "private.wav", noise(2_000), RATE)
    (tmp_path / "list.wav").write_text("ffconcat version 1.0\nfile private.wav\n")
    assert "nor by ffmpeg" in refusal(tmp_path / "list.wav")
