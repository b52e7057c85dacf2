"""Writing mono sound files: 16-bit where the format has it, under the final name only once complete."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio import Samples, to_int16
from pipeline.errors import UserError
from pipeline.files import atomic_path, refuse_overwrite

FORMATS = {  # suffix: libsndfile's names of container and encoding
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".aiff": ("AIFF", "PCM_16"),
    ".aif": ("AIFF", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
SYSTEM_ERROR = 2  # libsndfile's SF_ERR_SYSTEM
BLOCK_SAMPLES = 1 << 16  # libsndfile's Vorbis encoder overflows the stack on one very long write


def check_output(path: Path, overwrite: bool = False) -> None:
    """Raise `UserError`, before any work, for an unknown suffix or a file that is there already."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: unknown kind of sound file; name it with one of {', '.join(FORMATS)}")
    refuse_overwrite(path, overwrite)


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
    """Yield what writes blocks (n,) int16 one after the other; the file has its name once the block ends.

    Whatever is there is replaced; raises `UserError` like `write_audio`.
    """
    import soundfile

    container, encoding = FORMATS[path.suffix.lower()]
    try:
        with (
            atomic_path(path) as temporary,
            soundfile.SoundFile(temporary, "w", sample_rate, 1, encoding, format=container) as file,
        ):

            def write(samples: Samples) -> None:
                for start in range(0, len(samples), BLOCK_SAMPLES):
                    file.write(samples[start : start + BLOCK_SAMPLES])

            yield write
    except soundfile.LibsndfileError as problem:
        if problem.code == SYSTEM_ERROR:  # libsndfile does not say which
            reason = "the system refused; is the disk full?"
            raise UserError(f"{path}: cannot be written ({reason})") from None
        reason = problem.error_string.strip().rstrip(".")
        raise UserError(f"{path.suffix[1:]} at {sample_rate} Hz cannot be written ({reason})") from None
    except OSError as problem:
        raise UserError(f"{path}: cannot be written ({problem.strerror or problem})") from None
