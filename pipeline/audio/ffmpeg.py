"""Reading what libsndfile cannot (AAC, WMA, Opus in WebM, ...) through an ffmpeg process, if there is one.

ffmpeg writes Sun AU to a pipe: a header of 24 bytes with rate and channels, then 32-bit floats without end,
so one process serves both to learn what the file is and to decode it. It may read this one file only, in the
formats listed here. Its time, its output and its log are limited.
"""

import os
import re
import selectors
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio.reader import BLOCK_SAMPLES, AudioInfo, Availability, CannotRead, Note, Reader
from pipeline.errors import RecordingRejected

NEEDS_FFMPEG = "m4a, aac, alac, wma, webm, mka, ac3 and speex"
STALL_S = 60.0  # a decoder that gives nothing for so long is taken to hang, and killed
AU_FLOAT, MOST_HEADER_BYTES = 6, 1 << 16
# Audio containers only: ffmpeg would also read playlists (and the files they name), images, text as video,
# and headerless samples by their suffix at a rate that it makes up.
CONTAINERS = (
    "aac,ac3,amr,ape,asf,avi,caf,dsf,dts,eac3,flac,flv,matroska,webm,mov,mp4,m4a,mp3,mpc,mpc8,mpeg,mpegts,"
    "nistsphere,ogg,oma,tak,truehd,tta,w64,wav,wv,xwma"
)
ARGUMENTS = ["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-xerror"]
INPUT = ["-protocol_whitelist", "file", "-format_whitelist", CONTAINERS]
OUTPUT = ["-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
LONGEST_S = 3_600
"""Most seconds that one recording may be waited for. ffmpeg ends itself after so much processor time."""
MOST_HOURS = 74
"""Longest recording, as for other readers at 16 kHz; an endless one has more."""
MOST_LOG_BYTES = 1 << 26
"""Longest log, which ffmpeg writes into a temporary file."""
POLL_S = 0.5


@contextmanager
def open_with_ffmpeg(path: Path, _: BufferedReader, notes: tuple[Note, ...]) -> Iterator["FfmpegReader"]:
    """Open ``path``; raises `CannotRead`, and `RecordingRejected` where ffmpeg hangs."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise CannotRead("not installed", installed=False)
    with tempfile.TemporaryFile() as log, selectors.DefaultSelector() as selector:
        process = subprocess.Popen(
            [program, *ARGUMENTS, "-timelimit", str(LONGEST_S), *INPUT, "-i", f"file:{path}", *OUTPUT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        assert process.stdout is not None
        selector.register(process.stdout, selectors.EVENT_READ)
        try:
            yield FfmpegReader(process, selector, log.fileno(), notes)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def ffmpeg_here() -> Availability:
    """Return whether there is a program of this name."""
    if shutil.which("ffmpeg") is None:
        what = f"ffmpeg is not installed: {NEEDS_FFMPEG} cannot be read."
        return Availability("warning", what, "If needed, install ffmpeg with the system's packages.")
    return Availability("fine", "ffmpeg is here, for what libsndfile cannot read.")


class FfmpegReader:
    """A recording that ffmpeg decodes; its length is not known before its end."""

    holds_int16 = False
    holds_float64 = False
    seekable = False

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        selector: selectors.BaseSelector,
        log: int,
        notes: tuple[Note, ...],
    ) -> None:
        self._process, self._selector, self._log = process, selector, log
        self.notes, self._waited_s = notes, 0.0
        header = self._read(24)
        if len(header) < 24 or header[:4] != b".snd":
            raise CannotRead(self._failure() or "it gives no audio")
        _, data_start, _, encoding, rate, channels = struct.unpack(">6I", header)
        if encoding != AU_FLOAT or not 24 <= data_start <= MOST_HEADER_BYTES or not channels:
            raise CannotRead("its output is not the format that was asked for")
        self._read(data_start - 24)
        container, codec = self._names()
        self.info = AudioInfo(rate, channels, None, container, codec, "ffmpeg")

    def blocks(self, dtype: str) -> Iterator[npt.NDArray[Any]]:
        channels, done = self.info.channels, 0
        frame_bytes = 4 * channels
        while raw := self._read(max(1, BLOCK_SAMPLES // channels) * frame_bytes):
            block = np.frombuffer(raw[: len(raw) // frame_bytes * frame_bytes], ">f4").reshape(-1, channels)
            done += len(block)
            if done > MOST_HOURS * 3_600 * self.info.sample_rate:
                raise RecordingRejected("too-long", f"longer than {MOST_HOURS} hours: split it")
            yield block.astype(dtype)
        if reason := self._failure():
            raise RecordingRejected("damaged", f"damaged: ffmpeg decodes {done} frames and reports: {reason}")

    def skip(self, frames: int) -> None:
        raise NotImplementedError("ffmpeg's samples come through a pipe")

    def _read(self, count: int) -> bytes:
        """Read ``count`` bytes, fewer only at the end."""
        assert self._process.stdout is not None
        pieces = bytearray()
        while len(pieces) < count:
            self._wait_for_output()
            piece = os.read(self._process.stdout.fileno(), count - len(pieces))
            if not piece:
                break
            pieces += piece
        return bytes(pieces)

    def _wait_for_output(self) -> None:
        """Wait, at most `STALL_S` for each piece and `LONGEST_S` for all, and while the log is short."""
        began, ready = time.monotonic(), False
        while not ready:
            ready = bool(self._selector.select(min(POLL_S, STALL_S)))
            waited_s = time.monotonic() - began
            if not ready and waited_s >= STALL_S:
                raise RecordingRejected("stalled", f"ffmpeg gave nothing for {STALL_S:.0f} s")
            if self._waited_s + waited_s > LONGEST_S:
                raise RecordingRejected("stalled", f"ffmpeg took more than {LONGEST_S:.0f} s")
            if os.fstat(self._log).st_size > MOST_LOG_BYTES:
                raise RecordingRejected(
                    "damaged", f"damaged: ffmpeg reports more than {MOST_LOG_BYTES:,} bytes"
                )
        self._waited_s += waited_s

    def _failure(self) -> str | None:
        """Say what went wrong, if anything did; ffmpeg may report lost input and still exit with 0."""
        try:
            status = self._process.wait(STALL_S)
        except subprocess.TimeoutExpired:
            raise RecordingRejected("stalled", f"ffmpeg did not end within {STALL_S:.0f} s") from None
        errors = re.findall(r"^.*\[(?:error|fatal)\] (.+)$", self._log_text(), re.MULTILINE)
        if errors:
            return str(re.sub(r"^file:.*: ", "", errors[-1]))
        return f"exit status {status}" if status else None

    def _names(self) -> tuple[str, str]:
        """Container and codec as ffmpeg names them in its log."""
        text = self._log_text()
        container = re.search(r"Input #0, ([^,]+),", text)
        codec = re.search(r": Audio: (\w+)", text)
        return (container[1] if container else "unknown"), (codec[1] if codec else "unknown")

    def _log_text(self) -> str:
        # pread: the file position is shared with the process that writes the log.
        size = os.fstat(self._log).st_size
        head = os.pread(self._log, 1 << 14, 0)
        tail = os.pread(self._log, 1 << 14, max(1 << 14, size - (1 << 14)))
        return (head + b"\n" + tail).decode(errors="replace")


FFMPEG = Reader("ffmpeg", open_with_ffmpeg, ffmpeg_here)
