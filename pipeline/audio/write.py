"""Writing mono sound files: 16-bit where the format has it, under the final name only once complete."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import ENOSPC
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import Samples, to_int16
from pipeline.common.files import atomic_path, check_overwrite
from pipeline.errors import UserError

FORMATS = {  # suffix: libsndfile's names of container and encoding
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".aiff": ("AIFF", "PCM_16"),
    ".aif": ("AIFF", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
BLOCK_SAMPLES = 1 << 16  # libsndfile's Vorbis encoder overflows the stack on one very long write


def check_output(path: Path, overwrite: bool = False) -> None:
    """Raise `UserError`, before any work, for an unknown suffix or a file that is there already."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: unknown kind of sound file; name it with one of {', '.join(FORMATS)}")
    check_overwrite(path, overwrite)


def write_audio(path: Path, samples: npt.NDArray[Any], sample_rate: int, overwrite: bool = False) -> None:
    """Write ``samples``, shape (N,), int16 or floats in [-1, 1], in the format that the suffix names.

    Floats are rounded to int16 and clipped. Parent folders are made. Raises `UserError` for an unknown
    suffix, a file that is there already, a rate that the format lacks, a place that cannot be written.
    """
    check_output(path, overwrite)
    with open_sound(path, sample_rate) as write:
        write(samples if samples.dtype == np.int16 else to_int16(samples))


@contextmanager
def open_sound(path: Path, sample_rate: int) -> Iterator[Callable[[Samples], None]]:
    """Yield a function that writes blocks (n,) int16; the file has its name once the context ends.

    An existing file is replaced; raises `UserError` like `write_audio`.
    """
    import soundfile

    container, encoding = FORMATS[path.suffix.lower()]
    try:
        with (
            atomic_path(path) as temporary,
            encoder(temporary, sample_rate, 1, encoding, container) as file,
        ):

            def write(samples: Samples) -> None:
                for start in range(0, len(samples), BLOCK_SAMPLES):
                    file.write(samples[start : start + BLOCK_SAMPLES])

            yield write
    except soundfile.LibsndfileError as problem:
        reason = problem.error_string.strip().rstrip(".")
        what = f"{path.suffix[1:]} at {sample_rate} Hz"
        raise UserError(f"{path}: {what} cannot be written ({reason})") from None
    except OSError as problem:
        raise UserError(f"{path}: cannot be written ({problem.strerror or problem})") from None


@contextmanager
def encoder(path: Path, sample_rate: int, channels: int, encoding: str, container: str) -> Iterator[Any]:
    """Yield a `soundfile.SoundFile` that writes to ``path``, by libsndfile's encoding and container names.

    Raises `OSError` where any of it could not be written: libsndfile's encoders of FLAC, Vorbis and MP3 write
    their last blocks when they are closed, and do not report when that fails.
    """
    import soundfile

    with path.open("wb", buffering=0) as file:
        sink = _Sink(file)
        try:
            with soundfile.SoundFile(sink, "w", sample_rate, channels, encoding, format=container) as sound:
                yield sound
        except (soundfile.LibsndfileError, AssertionError):  # which soundfile makes of frames not taken
            if sink.problem is None:
                raise
        if sink.problem is not None:
            raise sink.problem


class _Sink:
    """The file object that libsndfile writes to, which keeps the first error."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.problem: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write ``data`` and return the number of bytes written."""
        try:
            written = self._file.write(data)
        except OSError as problem:
            self.problem = self.problem or problem
            return 0
        if written < len(data):
            self.problem = self.problem or OSError(ENOSPC, os.strerror(ENOSPC))
        return written
