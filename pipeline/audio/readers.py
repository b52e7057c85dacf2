"""Opening a recording with the first reader that can read it.

All give the frames as they are, in blocks of shape (N, C), front to back. They reject a recording that ends
before the place its header promised. Some can begin at a later frame.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path

from pipeline.audio.containers import check_container
from pipeline.audio.ffmpeg import FFMPEG
from pipeline.audio.libsndfile import LIBSNDFILE
from pipeline.audio.reader import CannotRead, Note, OpenRecording, Reader
from pipeline.errors import RecordingRejected

READERS: list[Reader] = [LIBSNDFILE, FFMPEG]
"""All readers, in the order in which they are tried."""

RATES = range(2_000, 768_001)  # Hz
MAX_CHANNELS = 256


@contextmanager
def open_recording(path: Path) -> Iterator[OpenRecording]:
    """Open ``path``, whatever its suffix; raises `RecordingRejected` where that cannot be done."""
    with ExitStack() as opened:
        file = opened.enter_context(open_file(path))
        notes = check_container(file.fileno())
        yield _checked(_first_that_reads(opened, path, file, notes))


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading its bytes; raises `RecordingRejected` where there is none."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            # Opening a pipe would wait for ever.
            raise RecordingRejected("not-a-file", "a folder, a device or a pipe, not a file")
        if not found.st_size:
            raise RecordingRejected("empty", "an empty file (0 bytes)")
        return path.open("rb")
    except FileNotFoundError:
        raise RecordingRejected("missing", "no such file") from None
    except (OSError, ValueError) as problem:
        raise RecordingRejected(
            "unreadable", f"cannot be read ({getattr(problem, 'strerror', problem)})"
        ) from None


def _checked(reader: OpenRecording) -> OpenRecording:
    info = reader.info
    if info.sample_rate not in RATES:
        raise RecordingRejected(
            "sample-rate", f"sample rate {info.sample_rate} Hz, outside {RATES[0]} to {RATES[-1]} Hz"
        )
    if not 1 <= info.channels <= MAX_CHANNELS:
        raise RecordingRejected("channels", f"{info.channels} channels, more than {MAX_CHANNELS}")
    if info.frames == 0:
        raise RecordingRejected("no-samples", "no samples: the header gives 0 frames")
    return reader


def _first_that_reads(
    opened: ExitStack, path: Path, file: BufferedReader, notes: tuple[Note, ...]
) -> OpenRecording:
    complaints, missing = [], []
    for reader in READERS:
        os.lseek(file.fileno(), 0, os.SEEK_SET)  # a reader may have moved it behind the buffer's back
        try:
            return opened.enter_context(reader.open(path, file, notes))
        except CannotRead as problem:
            if problem.installed:
                complaints.append(f"{reader.name} ({problem})")
            else:
                missing.append(f" and {reader.name} is not installed")
    text = f"not readable by {' nor by '.join(complaints)}{''.join(missing)}"
    if missing:
        raise RecordingRejected("no-decoder", text)
    raise RecordingRejected("not-sound", text)
