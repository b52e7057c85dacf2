"""File format of compressed recordings: header, coded blocks and checksum.

    8 bytes   magic
    4         version
    4         length of the header
    8         length of the whole file
    ...       header: JSON
    ...       blocks, for each stretch of frames one of every channel: length of the words, length of the
              rest, the coder's words (32-bit), the rest (zlib)
    32        SHA-256 of all previous bytes

All numbers are unsigned and little-endian. Every version begins with the magic and ends with the checksum.
"""

import json
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.audio.readers import open_file
from pipeline.common.files import atomic_path
from pipeline.common.hashing import digest_stream
from pipeline.compression.pcm_files import IntegerSound
from pipeline.errors import RecordingRejected, UserError

MAGIC = b"\x89WCZ\r\n\x1a\n"  # not text, so that a transfer in text mode is detected
VERSION = 1
_PRELUDE = struct.Struct("<8sIIQ")
_SIZE_AT = 16
_BLOCK = struct.Struct("<II")
_CHECKSUM_BYTES = 32

Block = tuple[bytes, bytes]
"""A coded block of one channel: the coder's words, and the rest."""


@dataclass(frozen=True)
class Header:
    """Information that a decoder needs.

    Attributes:
        model: hash of the model.
        model_name: name of the model, for messages only.
        arithmetic: hash of how the encoding machine computed the model (see
            `pipeline.compression.arithmetic_coder.fingerprint`).
        block_frames: frames of every block except the last.
        sound: rate, channels, depth, length and checksum of the recording.
    """

    model: str
    model_name: str
    arithmetic: str
    block_frames: int
    sound: IntegerSound


@contextmanager
def coded_file(path: Path, header: Header) -> Iterator[Callable[[Block], None]]:
    """Open a compressed recording for writing.

    The file appears when the `with` block ends without an error.

    Args:
        path: the file, which is replaced if it exists.
        header: the model, the sound and the layout of the blocks.

    Yields:
        A function that writes the next block.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        with atomic_path(path) as temporary, temporary.open("r+b") as file:
            packed = json.dumps(asdict(header)).encode()
            file.write(_PRELUDE.pack(MAGIC, VERSION, len(packed), 0) + packed)

            def write(block: Block) -> None:
                words, rest = block
                file.write(_BLOCK.pack(len(words), len(rest)) + words + rest)

            yield write
            size = file.tell() + _CHECKSUM_BYTES
            file.seek(_SIZE_AT)
            file.write(struct.pack("<Q", size))
            file.write(_digest(file, size - _CHECKSUM_BYTES))
    except OSError as problem:
        raise UserError(f"{path}: cannot be written ({problem.strerror or problem})") from None


@contextmanager
def open_coded(path: Path) -> Iterator[tuple[Header, Iterator[Block]]]:
    """Open a compressed recording; yields its header and its blocks after the checksum has been checked.

    Raises:
        RecordingRejected: the file is no compressed recording, is damaged or truncated, or has a newer
            format.
    """
    with open_file(path) as file:
        header = _checked_header(file)
        yield header, _blocks(file, header)


def _checked_header(file: BinaryIO) -> Header:
    there = os.fstat(file.fileno()).st_size
    prelude = file.read(_PRELUDE.size)
    if prelude[: len(MAGIC)] != MAGIC[: len(prelude)] or not prelude:
        raise RecordingRejected("not-compressed", "not a recording written by `wavecast compress`")
    if len(prelude) < _PRELUDE.size:
        raise RecordingRejected("cut-short", f"cut short: {there} bytes are there, not even a header")
    _, version, length, size = _PRELUDE.unpack(prelude)
    if there < size and version <= VERSION:
        raise RecordingRejected(
            "cut-short", f"cut short or damaged: {size} bytes are promised, {there} are there"
        )
    if _digest(file, there - _CHECKSUM_BYTES) != file.read():
        raise RecordingRejected("damaged", "damaged: its checksum is not that of its content; fetch it again")
    if version > VERSION:
        raise RecordingRejected(
            "newer-format", f"of format {version}, newer than this wavecast's {VERSION}; update wavecast"
        )
    file.seek(_PRELUDE.size)
    return _header(json.loads(file.read(length)))


def _header(fields: dict[str, Any]) -> Header:
    return Header(**{**fields, "sound": IntegerSound(**fields["sound"])})


def _blocks(file: BinaryIO, header: Header) -> Iterator[Block]:
    stretches = -(-header.sound.frames // header.block_frames)
    for _ in range(stretches * header.sound.channels):
        words, rest = _BLOCK.unpack(file.read(_BLOCK.size))
        yield file.read(words), file.read(rest)


def _digest(file: BinaryIO, length: int) -> bytes:
    """Return the checksum of the first ``length`` bytes of a file, which is left at their end."""
    file.seek(0)
    return bytes.fromhex(digest_stream(file, length))
