"""File format of compressed recordings: header, coded blocks and checksum.

    8 bytes   magic
    4         version
    4         length of the header
    8         length of the whole file
    ...       header: JSON, packed by zlib
    4         version 3 alone: length of the set of integers
    ...       version 3 alone: the integers that may occur, see `pipeline.coding.occurring`
    ...       blocks, for each stretch of frames one of every channel: length of the code, length of the
              rest, the coder's bytes, the rest (zlib)
    32        SHA-256 of all previous bytes

All numbers are unsigned and little-endian. Every version begins with the magic and ends with the checksum.
A file of version 2 has no set of integers: any may occur. In version 1, moreover, the coder's bytes are words
of 32 bits, the header is not packed and names a model, and the sound has no `unused_bits`.
"""

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from pipeline.audio.readers import MAX_CHANNELS, open_file
from pipeline.common.files import atomic_path, parse_json
from pipeline.common.hashing import digest_stream
from pipeline.compression.pcm_files import IntegerSound
from pipeline.errors import RecordingRejected, UserError

MAGIC = b"\x89WCZ\r\n\x1a\n"  # not text, so that a transfer in text mode is detected
FIRST_VERSION, PLAIN_VERSION, VERSION = 1, 2, 3
_PRELUDE = struct.Struct("<8sIIQ")
_SIZE_AT = 16
_VALUES = struct.Struct("<I")
_BLOCK = struct.Struct("<II")
_CHECKSUM_BYTES = 32
_WORD_BYTES = 4
_MOST_HEADER_BYTES = 1 << 16
_BLOCK_FRAMES = range(1, (1 << 20) + 1)
_RATES, _CHANNELS, _FRAMES = range(1, 1 << 31), range(1, MAX_CHANNELS + 1), range(1, 1 << 48)
_DEPTHS = (8, 16, 24, 32)

Block = tuple[bytes, bytes]
"""A coded block of one channel: the coder's bytes, and the rest."""


@dataclass(frozen=True)
class Header:
    """Information that a decoder needs.

    Attributes:
        model: hash of the model; empty where the adaptive predictor alone coded the samples.
        model_name: name of the model, for messages only.
        arithmetic: hash of how the encoding machine computed (see
            `pipeline.compression.mixed_coder.fingerprint`).
        block_frames: frames of every block except the last.
        sound: rate, channels, depth, length and checksum of the recording, and its unused bits.
        version: version of the format, which stands before the header.
        values: the integers that may occur, without their unused bits, as `pipeline.coding.occurring` packs
            them; empty for any. They stand behind the header.
    """

    model: str
    model_name: str
    arithmetic: str
    block_frames: int
    sound: IntegerSound
    version: int = PLAIN_VERSION
    values: bytes = b""

    @property
    def stretches(self) -> int:
        """Number of stretches of ``block_frames`` frames; the last may be shorter."""
        return -(-self.sound.frames // self.block_frames)


@with_config(extra="forbid")
class _SoundFields(TypedDict):
    sample_rate: int
    channels: int
    depth: int
    frames: int
    checksum: str
    unused_bits: NotRequired[int]


@with_config(extra="forbid")
class _Fields(TypedDict):
    """The header in JSON."""

    model: str
    model_name: str
    arithmetic: str
    block_frames: int
    sound: _SoundFields


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
            packed = _packed(header)
            file.write(_PRELUDE.pack(MAGIC, header.version, len(packed), 0) + packed)
            if header.version == VERSION:
                file.write(_VALUES.pack(len(header.values)) + header.values)

            def write(block: Block) -> None:
                code, rest = block
                file.write(_BLOCK.pack(len(code), len(rest)) + code + rest)

            yield write
            size = file.tell() + _CHECKSUM_BYTES
            file.seek(_SIZE_AT)
            file.write(struct.pack("<Q", size))
            file.write(_digest(file, size - _CHECKSUM_BYTES))
    except OSError as problem:
        raise UserError(f"{path}: cannot be written ({problem.strerror or problem})") from None


def _packed(header: Header) -> bytes:
    """Return the header in JSON, with the fields of its version."""
    fields = asdict(header)
    del fields["values"]
    if fields.pop("version") == FIRST_VERSION:
        del fields["sound"]["unused_bits"]
        return json.dumps(fields).encode()
    return zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), 9)


def _unpacked(packed: bytes, version: int) -> bytes:
    """Return the header's JSON; raises `ValueError` where it is not packed, or too long."""
    if version == FIRST_VERSION:
        return packed
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, _MOST_HEADER_BYTES)
    except zlib.error as problem:
        raise ValueError(str(problem)) from None
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("it is not one packed text of a header's length")
    return text


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
    content = there - _PRELUDE.size - _CHECKSUM_BYTES
    if size != there or length > min(content, _MOST_HEADER_BYTES):
        raise damaged("its lengths contradict each other")
    if version < FIRST_VERSION:
        raise damaged(f"version {version} is out of range")
    try:
        text = _unpacked(file.read(length), version)
        values = _values(file, content - length) if version == VERSION else b""
        left = size - _CHECKSUM_BYTES - file.tell()
        return _header(parse_json(text, _Fields), version, values, left)
    except ValueError as problem:
        raise damaged(f"its header: {problem}") from None


def _values(file: BinaryIO, most: int) -> bytes:
    """Return the packed set of integers behind the header; raises `ValueError` where there is none."""
    length = _VALUES.unpack(file.read(_VALUES.size))[0] if most >= _VALUES.size else 0
    if not 0 < length <= most - _VALUES.size:
        raise ValueError("its values do not fit")
    return file.read(length)


def damaged(reason: str) -> RecordingRejected:
    """Return the rejection of a file whose checksum is right and whose content is not."""
    return RecordingRejected("damaged", f"damaged, or not written by wavecast ({reason})")


def _header(fields: dict[str, Any], version: int, values: bytes, block_bytes: int) -> Header:
    """Return the header; raises `ValueError` where nothing of these sizes can be in the blocks."""
    if ("unused_bits" in fields["sound"]) == (version == FIRST_VERSION):
        raise ValueError(f"unused_bits: not as in version {version}")
    sound_fields = IntegerSound(**fields["sound"])
    header = Header(**{**fields, "sound": sound_fields, "version": version, "values": values})
    sound = header.sound
    for name, value, allowed in (
        ("block_frames", header.block_frames, _BLOCK_FRAMES),
        ("sample_rate", sound.sample_rate, _RATES),
        ("channels", sound.channels, _CHANNELS),
        ("depth", sound.depth, _DEPTHS),
        ("frames", sound.frames, _FRAMES),
        ("unused_bits", sound.unused_bits, range(sound.depth)),
    ):
        if value not in allowed:
            raise ValueError(f"{name} {value if abs(value) < 1 << 64 else 'of many digits'} is out of range")
    if header.stretches * sound.channels * _BLOCK.size > block_bytes:
        raise ValueError("it promises more blocks than the file can hold")
    return header


def _blocks(file: BinaryIO, header: Header) -> Iterator[Block]:
    """Yield the blocks, which must fill the file up to its checksum."""
    left = os.fstat(file.fileno()).st_size - file.tell() - _CHECKSUM_BYTES
    for _ in range(header.stretches * header.sound.channels):
        left -= _BLOCK.size
        code, rest = _BLOCK.unpack(file.read(_BLOCK.size)) if left >= 0 else (0, 0)
        left -= code + rest
        if left < 0 or (header.version == FIRST_VERSION and code % _WORD_BYTES):
            raise damaged("the lengths of its blocks are wrong")
        yield file.read(code), file.read(rest)
    if left:
        raise damaged(f"{left} bytes follow its last block")


def _digest(file: BinaryIO, length: int) -> bytes:
    """Return the checksum of the first ``length`` bytes of a file, which is left at their end."""
    file.seek(0)
    return bytes.fromhex(digest_stream(file, length))
