"""Reading with libsndfile, in this process: WAV, FLAC, MP3, Ogg, AIFF and others."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy.typing as npt

from pipeline.audio.quiet import quiet_libraries
from pipeline.audio.reader import BLOCK_SAMPLES, AudioInfo, Availability, CannotRead, Note, Reader
from pipeline.errors import RecordingRejected

MP3_FRAME = 1152
UNKNOWN_FRAMES = (1 << 63) - 1  # libsndfile's SF_COUNT_MAX
# Here a decoder keeps no state from frame to frame, so that samples are the same after a seek.
EXACT_SEEK = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")


@contextmanager
def open_with_libsndfile(
    path: Path, file: BufferedReader, notes: tuple[Note, ...]
) -> Iterator["SoundfileReader"]:
    """Open ``file``; raises `CannotRead`."""
    import soundfile

    with ExitStack() as opened:
        try:
            # By descriptor, so that neither a suffix nor a name that is not UTF-8 misleads libsndfile.
            with quiet_libraries():
                sound = opened.enter_context(soundfile.SoundFile(file.fileno(), closefd=False))
                if sound.format == "MP3":
                    pipe = opened.enter_context(_pipe(file))
                    sound = opened.enter_context(soundfile.SoundFile(pipe, closefd=False))
        except soundfile.LibsndfileError as problem:
            raise CannotRead(_complaint(problem)) from None
        yield SoundfileReader(sound, notes, partial(_decodable, file) if sound.format == "MP3" else None)


def libsndfile_here() -> Availability:
    """Return whether libsndfile loads, and reads what it should."""
    try:
        import soundfile

        formats = soundfile.available_formats()
    except (ImportError, OSError) as problem:
        what = f"libsndfile does not load ({problem}): no recording can be read."
        return Availability("problem", what, "pip install --force-reinstall soundfile")
    version = soundfile.__libsndfile_version__
    missing = [name for name in ("FLAC", "MP3", "OGG") if name not in formats]
    if missing:
        what = f"libsndfile {version} cannot read {', '.join(missing)}."
        return Availability("warning", what, "Install libsndfile 1.2 or later.")
    return Availability("fine", f"libsndfile {version} reads WAV, FLAC, MP3, Ogg and others.")


def _complaint(problem: Any) -> str:
    """Return libsndfile's message, without its "Error : " and full stop."""
    return str(problem.error_string).removeprefix("Error : ").strip().rstrip(".")


class SoundfileReader:
    """A recording that libsndfile reads."""

    def __init__(
        self, sound: Any, notes: tuple[Note, ...], decodable: Callable[[], int] | None = None
    ) -> None:
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
        self.seekable = frames is not None and sound.subtype in EXACT_SEEK
        self._done = 0
        self._decodable = decodable

    def skip(self, frames: int) -> None:
        import soundfile

        try:
            self._done = self._sound.seek(frames)
        except soundfile.LibsndfileError as problem:
            reason = f"damaged: frame {frames} cannot be reached ({_complaint(problem)})"
            raise RecordingRejected("damaged", reason) from None

    def blocks(self, dtype: str) -> Iterator[npt.NDArray[Any]]:
        import soundfile

        count, done, promised = max(1, BLOCK_SAMPLES // self.info.channels), self._done, self.info.frames
        while promised is None or done < promised:
            try:
                # Never past the promised end: libFLAC takes what may lie there for a damaged frame.
                wanted = count if promised is None else min(count, promised - done)
                with quiet_libraries():
                    block = self._sound.read(wanted, dtype=dtype, always_2d=True)
            except soundfile.LibsndfileError as problem:
                raise self._damaged(done, _complaint(problem)) from None
            if not len(block):
                break
            done += len(block)
            yield block
        if promised is not None and done < promised:
            raise RecordingRejected(
                "damaged", f"damaged: the header promises {promised} frames, {done} decode"
            )

    def _damaged(self, done: int, complaint: str) -> RecordingRejected:
        """Return the rejection of a file of which ``done`` frames were read before the block that failed."""
        promised, decoded = self.info.frames, done if self._decodable is None else self._decodable()
        if self._decodable is None or promised is None:
            return RecordingRejected("damaged", f"damaged after frame {decoded}: {complaint}")
        text = f"cut short or damaged: the header promises {promised} frames, {decoded} decode"
        return RecordingRejected("damaged", text)


def _decodable(file: BufferedReader) -> int:
    """Return the number of frames of a damaged MP3 that decode, read in its own small frames."""
    import soundfile

    done = 0
    with (
        suppress(soundfile.LibsndfileError),
        quiet_libraries(),
        _pipe(file) as pipe,
        soundfile.SoundFile(pipe, closefd=False) as sound,
    ):
        sound.seekable = lambda: False
        while count := len(sound.read(MP3_FRAME, dtype="float32", always_2d=True)):
            done += count
    return done


@contextmanager
def _pipe(file: BufferedReader) -> Iterator[int]:
    """Return the file as the reading end of a pipe.

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


LIBSNDFILE = Reader("libsndfile", open_with_libsndfile, libsndfile_here)
