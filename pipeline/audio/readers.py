"""Opening a recording with whichever decoder can read it: libsndfile, or an ffmpeg process for the rest.

Both give the frames as they are, in blocks of shape (N, C), front to back and without seeking, and both
refuse a recording that ends before the place its header promised.
"""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy.typing as npt

from pipeline.audio.containers import check_container
from pipeline.audio.reader import BLOCK_SAMPLES, AudioInfo, Note, Reader
from pipeline.errors import RecordingRejected

RATES = range(2_000, 768_001)  # Hz
MAX_CHANNELS = 256
UNKNOWN_FRAMES = (1 << 63) - 1  # libsndfile's SF_COUNT_MAX


@contextmanager
def open_recording(path: Path) -> Iterator[Reader]:
    """Open ``path`` whatever its name says it is; raises `RecordingRejected` where that cannot be done."""
    with ExitStack() as opened:
        file = opened.enter_context(open_file(path))
        notes = check_container(file.fileno())
        yield _checked(_reader(opened, path, file, notes))


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


def _checked(reader: Reader) -> Reader:
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


def _reader(opened: ExitStack, path: Path, file: BufferedReader, notes: tuple[Note, ...]) -> Reader:
    import soundfile

    try:
        # By descriptor, so that neither a suffix nor a name that is not UTF-8 misleads libsndfile.
        sound = opened.enter_context(soundfile.SoundFile(file.fileno(), closefd=False))
        if sound.format == "MP3":
            pipe = opened.enter_context(_pipe(file))
            sound = opened.enter_context(soundfile.SoundFile(pipe, closefd=False))
        return SoundfileReader(sound, notes)
    except soundfile.LibsndfileError as problem:
        from pipeline.audio.ffmpeg import ffmpeg_reader

        return opened.enter_context(ffmpeg_reader(path, _complaint(problem), notes))


def _complaint(problem: Any) -> str:
    """libsndfile's own words, without its "Error : " and full stop."""
    return str(problem.error_string).removeprefix("Error : ").strip().rstrip(".")


class SoundfileReader:
    """A recording that libsndfile reads."""

    def __init__(self, sound: Any, notes: tuple[Note, ...]) -> None:
        # python-soundfile seeks after every read, which costs time and hides frames that were skipped.
        sound.seekable = lambda: False
        self._sound = sound
        frames = None if sound.frames == UNKNOWN_FRAMES else sound.frames
        self.info = AudioInfo(
            sound.samplerate, sound.channels, frames, sound.format, sound.subtype, "libsndfile"
        )
        self.notes = notes
        self.holds_int16 = sound.subtype in ("PCM_16", "ALAC_16")
        self.holds_float64 = sound.subtype == "DOUBLE"

    def blocks(self, dtype: str) -> Iterator[npt.NDArray[Any]]:
        import soundfile

        count, done, promised = max(1, BLOCK_SAMPLES // self.info.channels), 0, self.info.frames
        while promised is None or done < promised:
            try:
                # Never past the promised end: libFLAC takes what may lie there for a damaged frame.
                wanted = count if promised is None else min(count, promised - done)
                block = self._sound.read(wanted, dtype=dtype, always_2d=True)
            except soundfile.LibsndfileError as problem:
                raise RecordingRejected(
                    "damaged", f"damaged after frame {done}: {_complaint(problem)}"
                ) from None
            if not len(block):
                break
            done += len(block)
            yield block
        if promised is not None and done < promised:
            raise RecordingRejected(
                "damaged", f"damaged: the header promises {promised} frames, {done} decode"
            )


@contextmanager
def _pipe(file: BufferedReader) -> Iterator[int]:
    """Give the file as the reading end of a pipe.

    For an MP3 without a table of its length libsndfile guesses one from the size of the file and stops there,
    which loses most of a recording whose bit rate grows. From a pipe it cannot guess and reads to the end.
    """
    reading, writing = os.pipe()

    def pump() -> None:
        position = 0
        try:
            while piece := os.pread(file.fileno(), BLOCK_SAMPLES, position):
                position += os.write(writing, piece)
        except OSError:
            pass  # the reader has seen enough and closed its end
        finally:
            os.close(writing)

    feeder = threading.Thread(target=pump, daemon=True)
    feeder.start()
    try:
        yield reading
    finally:
        os.close(reading)
        feeder.join()
