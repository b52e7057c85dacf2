"""Reading and writing of sound files as integers, without rounding, mixing, resampling or clipping.

The samples of every channel, their depth and rate are kept. Tags, cue points and the container format are
not.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import unused_bits
from pipeline.audio.readers import open_recording
from pipeline.audio.write import encoder
from pipeline.coding.occurring import Histogram
from pipeline.common.files import atomic_path
from pipeline.errors import RecordingRejected, UserError

Integers = npt.NDArray[np.int32]

DEPTHS = {  # libsndfile's encodings, and the bits that hold their integers
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "ALAC_16": 16,
    "ALAC_20": 24,
    "ALAC_24": 24,
    "ALAC_32": 32,
}
_ENCODINGS = {8: "PCM_S8", 16: "PCM_16", 24: "PCM_24", 32: "PCM_32"}
_OF_FLAC = {depth: name for depth, name in _ENCODINGS.items() if depth < 32}
FORMATS = {  # suffix: libsndfile's name of the container, and the encoding of each depth
    ".wav": ("WAV", _ENCODINGS | {8: "PCM_U8"}),
    ".flac": ("FLAC", _OF_FLAC),
    ".aiff": ("AIFF", _ENCODINGS),
    ".aif": ("AIFF", _ENCODINGS),
    ".w64": ("W64", _ENCODINGS | {8: "PCM_U8"}),
}
FLAC_FRAMES = 1 << 16
"""Number of frames that are encoded at once."""
LONGEST = {"WAV": (1 << 32) - (1 << 16), "AIFF": (1 << 32) - (1 << 16)}
"""Largest number of bytes of samples that a container's size fields allow, with room for its header."""


@dataclass(frozen=True)
class IntegerSound:
    """Properties of a file of integer samples.

    Attributes:
        sample_rate: in Hz.
        channels: number of channels, C.
        depth: bits of a sample, a multiple of 8.
        frames: samples of each channel, N.
        checksum: SHA-256 of all integers, frame by frame, as little-endian 32-bit integers.
        unused_bits: number of the lowest bits that are 0 in all integers, less than ``depth``.
    """

    sample_rate: int
    channels: int
    depth: int
    frames: int
    checksum: str
    unused_bits: int = 0

    @property
    def bytes_as_16_bit(self) -> int:
        """Size of the sound as 16-bit samples, in bytes."""
        return 2 * self.channels * self.frames


class Checksum:
    """Checksum of integers that are added in blocks."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, block: Integers) -> None:
        """Add the next ``block`` (n, C)."""
        self._hash.update(np.ascontiguousarray(block, "<i4").data)

    def text(self) -> str:
        """Return the checksum of all blocks so far, in hexadecimal digits."""
        return self._hash.hexdigest()


def examine(path: Path) -> IntegerSound:
    """Read a sound file to its end and return its properties.

    Raises:
        RecordingRejected: the file cannot be read to its end, or it holds no integers.
    """
    return surveyed(path)[0]


def surveyed(path: Path) -> tuple[IntegerSound, Histogram]:
    """Read a sound file to its end; return its properties and which integers occur, as `examine` raises."""
    checksum, frames = Checksum(), 0
    with open_recording(path) as reader:
        depth = _depth(reader.info.decoder, reader.info.container, reader.info.encoding)
        histogram = Histogram(depth)
        for block in reader.blocks("int32"):
            integers = block >> (32 - depth)
            checksum.add(integers)
            histogram.add(integers)
            frames += len(block)
        if not frames:
            raise RecordingRejected("no-samples", "no samples")
        unused = unused_bits(histogram.combined, depth)
        info = reader.info
        sound = IntegerSound(info.sample_rate, info.channels, depth, frames, checksum.text(), unused)
        return sound, histogram


def read_integers(path: Path, frames: int) -> Iterator[Integers]:
    """Yield the integers of a sound file in blocks (n, C).

    Their range is that of their depth: integers of 8 bits range from -128 to 127.

    Args:
        path: the sound file.
        frames: frames of a block; the last block may be shorter.

    Raises:
        RecordingRejected: as in `examine`.
    """
    with open_recording(path) as reader:
        depth = _depth(reader.info.decoder, reader.info.container, reader.info.encoding)
        yield from _regrouped((block >> (32 - depth) for block in reader.blocks("int32")), frames)


def _depth(decoder: str, container: str, encoding: str) -> int:
    if decoder == "libsndfile" and encoding in DEPTHS:
        return DEPTHS[encoding]
    raise RecordingRejected(
        "no-integers",
        f"{container} with {encoding} holds no integer samples, so it cannot be restored exactly; "
        f"convert it to WAV or FLAC first",
    )


def flac_size(path: Path, sound: IntegerSound) -> int | None:
    """Return the size in bytes of the recording as FLAC at the highest level, encoded in memory.

    Args:
        path: the sound file.
        sound: rate, channels and depth, as `examine` returns them.

    Returns:
        The size, or None if FLAC cannot hold the sound: 32 bits, more than 8 channels, or a very high rate.
    """
    import soundfile

    if sound.depth not in _OF_FLAC:
        return None
    target = io.BytesIO()
    try:
        with soundfile.SoundFile(
            target,
            "w",
            sound.sample_rate,
            sound.channels,
            _OF_FLAC[sound.depth],
            format="FLAC",
            compression_level=1.0,
        ) as file:
            for block in read_integers(path, FLAC_FRAMES):
                file.write(np.ascontiguousarray(block << (32 - sound.depth)))
    except soundfile.LibsndfileError:
        return None
    return len(target.getbuffer())


def _regrouped(blocks: Iterable[Integers], frames: int) -> Iterator[Integers]:
    waiting: list[Integers] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        if count >= frames:
            whole = np.concatenate(waiting)
            for start in range(0, count - frames + 1, frames):
                yield whole[start : start + frames]
            waiting = [whole[count // frames * frames :]]
            count %= frames
    if count:
        yield np.concatenate(waiting)


def check_format(path: Path, sound: IntegerSound | None = None) -> None:
    """Check that a path names a format that can be written.

    Args:
        path: the file to be written.
        sound: the sound that the format has to hold; None checks the suffix alone.

    Raises:
        UserError: the suffix is unknown, or the format does not have the depth or the length.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: unknown kind of sound file; use one of the suffixes {', '.join(FORMATS)}")
    if sound is None:
        return
    container, encodings = FORMATS[path.suffix.lower()]
    if sound.depth not in encodings:
        raise UserError(f"{path}: {container} has no {sound.depth}-bit samples; name it .wav")
    if sound.frames * sound.channels * sound.depth // 8 > LONGEST.get(container, 1 << 63):
        raise UserError(f"{path}: {container} holds at most 4 GiB, and the samples are more; name it .w64")


@contextmanager
def integers_file(path: Path, sound: IntegerSound) -> Iterator[Callable[[Integers], None]]:
    """Open a sound file for writing integers.

    The file appears when the `with` block ends without an error and the checksum is that of ``sound``.

    Args:
        path: the file, which is replaced if it exists.
        sound: rate, channels, depth, length and checksum.

    Yields:
        A function that writes the next block of integers, (n, C).

    Raises:
        RecordingRejected: the integers do not have the checksum of ``sound``.
        UserError: the format cannot hold the sound, or the file cannot be written.
    """
    import soundfile

    check_format(path, sound)
    container, encodings = FORMATS[path.suffix.lower()]
    checksum = Checksum()
    try:
        with atomic_path(path) as temporary:
            form = (sound.sample_rate, sound.channels, encodings[sound.depth], container)
            with encoder(temporary, *form) as file:

                def write(block: Integers) -> None:
                    checksum.add(block)
                    file.write(np.ascontiguousarray(block << (32 - sound.depth)))

                yield write
            if checksum.text() != sound.checksum:
                raise RecordingRejected(
                    "not-restored", "the decoded samples differ from the original ones; nothing is written"
                )
    except soundfile.LibsndfileError as problem:
        reason = problem.error_string.strip().rstrip(".")
        raise UserError(f"{path}: cannot be written as {container} ({reason})") from None
    except OSError as problem:
        raise UserError(f"{path}: cannot be written ({problem.strerror or problem})") from None
