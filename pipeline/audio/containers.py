"""Checks of what a container states about its samples against the bytes of the file.

libsndfile corrects a wrong length silently: a WAV that was cut in half reads as a shorter recording. So
the promise is read here, from the header. RIFF/WAVE, RF64, AIFF, Wave64 and CAF are chunks of a name, a size
and a body; Sun AU and NIST SPHERE have one header; FLAC and Ogg are left to `pipeline.audio.streams`.
"""

import os
import re
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pipeline.audio.reader import Note
from pipeline.audio.streams import check_flac, check_ogg
from pipeline.errors import RecordingRejected

Read = Callable[[int, int], bytes]  # (position, count) -> at most count bytes
MAX_CHUNKS = 10_000


class _Chunks(NamedTuple):
    first: int  # position of the first chunk
    header: str  # struct of name and size
    size_has_header: bool
    alignment: int


_CHUNKED = {
    b"RIFF": _Chunks(12, "<4sI", False, 2),
    b"RIFX": _Chunks(12, ">4sI", False, 2),
    b"RF64": _Chunks(12, "<4sI", False, 2),
    b"FORM": _Chunks(12, ">4sI", False, 2),
    b"riff": _Chunks(40, "<16sQ", True, 8),  # Wave64
    b"caff": _Chunks(8, ">4sQ", False, 1),
}


def check_container(descriptor: int) -> tuple[Note, ...]:
    """Check an open file's header and end; return notes on harmless damage.

    Raises `RecordingRejected` where samples are missing. Unrecognised formats pass unchecked.
    """
    size = os.fstat(descriptor).st_size

    def read(position: int, count: int) -> bytes:
        return os.pread(descriptor, count, position) if position < size else b""

    start = _after_id3(read)
    magic = read(start, 4)
    if start == 0 and magic in _CHUNKED:
        return tuple(_check_chunks(read, size, magic))
    if start == 0 and magic in _ONE_HEADER:
        _require(*_ONE_HEADER[magic](read), size)
        return ()
    if magic == b"fLaC":
        return tuple(check_flac(read, size, start))
    if magic == b"OggS":
        return tuple(check_ogg(read, size))
    return tuple(_check_mp3(read, size, start))


def _require(start: int, length: int | None, size: int) -> None:
    """Raise where ``length`` bytes of samples from ``start`` do not fit into a file of ``size`` bytes."""
    if length is not None and start + length > size:
        there = max(0, size - start)
        raise RecordingRejected(
            "cut-short", f"cut short: the header promises {length} bytes of samples, {there} are there"
        )


def _after_id3(read: Read) -> int:
    """Return the length of an ID3v2 tag at the front, 0 without one; its size has 7 bits in a byte."""
    tag = read(0, 10)
    if tag[:3] != b"ID3" or len(tag) < 10:
        return 0
    return 10 + (tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9])


def _walk(read: Read, shape: _Chunks) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, position and length of each chunk's body; the length is as claimed."""
    header, position = struct.Struct(shape.header), shape.first
    for _ in range(MAX_CHUNKS):
        raw = read(position, header.size)
        if len(raw) < header.size:
            return
        name, length = header.unpack(raw)
        length -= header.size if shape.size_has_header else 0
        if length < 0:
            return
        position += header.size
        yield name[:4], position, length
        position += -(-length // shape.alignment) * shape.alignment


def _check_chunks(read: Read, size: int, magic: bytes) -> Iterator[Note]:
    long_length, bodies = None, 0
    for name, start, length in _walk(read, _CHUNKED[magic]):
        if name == b"ds64":  # RF64 keeps here what does not fit into 32 bits
            (long_length,) = struct.unpack("<8xQ", read(start, 16).ljust(16, b"\0"))
        elif name == b"fmt " and magic != b"riff":
            yield from _check_format(read(start, 16), "<" if magic != b"RIFX" else ">")
        elif name in (b"data", b"SSND"):
            bodies += 1
            promised = long_length if magic == b"RF64" and length == 0xFFFFFFFF else length
            yield from _check_body(read, size, magic, start, promised)
    if bodies > 1:
        raise RecordingRejected(
            "several-streams", f"{bodies} chunks of samples in one file: only the first would be read"
        )


def _check_body(read: Read, size: int, magic: bytes, start: int, length: int | None) -> Iterator[Note]:
    if _is_unknown(magic, length):
        yield Note("no-length", "the header gives no length, as a recording that was streamed has none")
        return
    _require(start, length, size)
    if magic in (b"RIFF", b"RIFX", b"FORM"):
        (claimed,) = struct.unpack(_CHUNKED[magic].header[0] + "4xI", read(0, 8))
        if abs(claimed + 8 - size) > 1:  # one byte of padding is counted by some and forgotten by others
            yield Note(
                "size-field",
                f"the {magic.decode()} size field states {claimed + 8} bytes, the file has {size}",
            )


def _is_unknown(magic: bytes, length: int | None) -> bool:
    """Return whether a size means "not known": a largest number, or just below, as written to a pipe."""
    if length is None or magic == b"caff":
        return length is None or length >= 1 << 63
    return magic not in (b"RF64", b"riff") and (
        length >= 0xFFFF0000 or length in range(0x7FFF0000, 0x80000000)
    )


def _check_format(chunk: bytes, order: str) -> Iterator[Note]:
    if len(chunk) < 16:
        return
    tag, channels, _, _, block_align, bits = struct.unpack(order + "HHIIHH", chunk)
    expected = channels * -(-bits // 8)
    if tag in (1, 3, 0xFFFE) and block_align != expected:
        yield Note("block-align", f"block align is {block_align}, not {expected}")


def _au_promise(read: Read) -> tuple[int, int | None]:
    _, start, length = struct.unpack(">4sII", read(0, 12).ljust(12, b"\0"))
    return start, None if length == 0xFFFFFFFF else length


def _sphere_promise(read: Read) -> tuple[int, int | None]:
    header = read(0, 4096)
    fields = {name: int(value) for name, value in re.findall(rb"(\w+) -i (\d+)", header)}
    start = re.match(rb"NIST_1A\s+(\d+)", header)
    keys = (b"sample_count", b"channel_count", b"sample_n_bytes")
    if start is None or b"shorten" in header or not all(key in fields for key in keys):
        return 0, None
    return int(start[1]), fields[keys[0]] * fields[keys[1]] * fields[keys[2]]


_ONE_HEADER: dict[bytes, Callable[[Read], tuple[int, int | None]]] = {
    b".snd": _au_promise,
    b"NIST": _sphere_promise,
}


def _check_mp3(read: Read, size: int, start: int) -> Iterator[Note]:
    """Check the byte count of a Xing table; bytes appended behind the stream are not decoded."""
    head = read(start, 256)
    table = max(head.find(b"Xing"), head.find(b"Info"))
    if table < 0 or head[:1] != b"\xff":
        return
    _, flags, first, second = struct.unpack(">4s3I", head[table : table + 16].ljust(16, b"\0"))
    has_frames, has_bytes = flags & 1, flags & 2
    counted = second if has_frames else first
    tags = 1 << 14  # room for tags behind the stream
    if has_bytes and size - start - counted > tags:
        yield Note(
            "trailing-bytes", f"{size - start - counted} bytes behind the end of the MP3 stream are not read"
        )
