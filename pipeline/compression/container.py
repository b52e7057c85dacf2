"""The format of compressed recordings: what was coded by which model, the coded blocks, a checksum.

    8 bytes   magic
    4         version
    4         length of the header
    8         length of the whole file
    ...       header: JSON
    ...       blocks, for each stretch of frames one of every channel: length of the words, length of the
              rest, the coder's words (32-bit), the rest (zlib)
    32        SHA-256 of all before

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
from pipeline.errors import RecordingRefused, UserError

MAGIC = b"\x89WCZ\r\n\x1a\n"  # no text: what a transfer as text does to it shows
VERSION = 1
_PRELUDE = struct.Struct("<8sIIQ")
_SIZE_AT = 16
_BLOCK = struct.Struct("<II")
_CHECKSUM_BYTES = 32

Block = tuple[bytes, bytes]
"""Of one channel: the coder's words, and the rest."""


@dataclass(frozen=True)
class Header:
    """What a decoder needs to know.

    Attributes:
        model: hash of the model.
        model_name: how it was named, for people.
        arithmetic: how the coding machine computed the model (see
            `pipeline.compression.arithmetic_coder.fingerprint`).
        block_frames: frames of every block but the last.
        sound: the recording.
    """

    model: str
    model_name: str
    arithmetic: str
    block_frames: int
    sound: IntegerSound


@contextmanager
def coded_file(path: Path, header: Header) -> Iterator[Callable[[Block], None]]:
    """Give a function that takes the blocks, in order; the file appears when the block of code ends well."""
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
    """The header and the blocks of a compressed recording, of which every bit has been checked.

    Raises `RecordingRefused` for what is no compressed recording, damaged, cut short, or newer than this.
    """
    with open_file(path) as file:
        header = _checked_header(file)
        yield header, _blocks(file, header)


def _checked_header(file: BinaryIO) -> Header:
    there = os.fstat(file.fileno()).st_size
    prelude = file.read(_PRELUDE.size)
    if prelude[: len(MAGIC)] != MAGIC[: len(prelude)] or not prelude:
        raise RecordingRefused("not a recording that `wavecast compress` wrote")
    if len(prelude) < _PRELUDE.size:
        raise RecordingRefused(f"cut short: {there} bytes are there, not even a header")
    _, version, length, size = _PRELUDE.unpack(prelude)
    if there < size and version <= VERSION:
        raise RecordingRefused(f"cut short or damaged: {size} bytes are promised, {there} are there")
    if _digest(file, there - _CHECKSUM_BYTES) != file.read():
        raise RecordingRefused("damaged: its checksum is not that of its content; fetch it again")
    if version > VERSION:
        raise RecordingRefused(f"of format {version}, newer than this wavecast's {VERSION}; update wavecast")
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
    """The checksum of the first ``length`` bytes of a file, which is left there."""
    file.seek(0)
    return bytes.fromhex(digest_stream(file, length))
