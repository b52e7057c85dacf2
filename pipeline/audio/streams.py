"""The actual length of a FLAC or Ogg stream, from its own frames and pages.

A FLAC frame carries its number, and a decoder that trusts a wrong total in the header stops there silently
(RFC 9639, sections 8.2 and 9.1). An Ogg page carries serial number and flags, the last one an end mark,
and libsndfile reads only the first of several streams in a row (RFC 3533, section 6).
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from pipeline.audio.reader import Note
from pipeline.errors import RecordingRejected

Read = Callable[[int, int], bytes]
OGG_FIRST, OGG_LAST = 2, 4  # flags of the first and last page of a stream


class _FlacFrame(NamedTuple):
    end: int  # samples from the start of the stream to the end of this frame
    bits: int | None  # per sample; None where the frame refers to the stream's header


def check_flac(read: Read, size: int, start: int) -> Iterator[Note]:
    """Compare the total in STREAMINFO with the number of the last frame; notes what is odd but harmless."""
    info = read(start + 8, 34)
    if len(info) < 34 or read(start + 4, 1)[0] & 0x7F:
        return  # STREAMINFO is not where it must be: the decoder reports it
    block_size, frame_bytes = int.from_bytes(info[2:4]), int.from_bytes(info[7:10])
    packed = int.from_bytes(info[10:18])  # rate 20 bits, channels 3, bits 5, total samples 36
    total, bits = packed & (1 << 36) - 1, (packed >> 36 & 0x1F) + 1
    window = max(frame_bytes, 1 << 16) + 16
    last = _last_frame(read(max(0, size - window), window), block_size)
    if last is None:
        yield Note(
            "trailing-bytes", "no FLAC frame ends where the file ends: other bytes follow the last one"
        )
        return
    if total and last.end != total:
        raise RecordingRejected(
            "damaged", f"damaged: the header promises {total} frames, the stream has {last.end}"
        )
    if last.bits not in (None, bits):
        yield Note("bit-depth", f"the header states {bits} bits a sample, the frames have {last.bits}")


def _last_frame(tail: bytes, block_size: int) -> _FlacFrame | None:
    """Find the frame that fills ``tail`` to its end: both of its checksums hold."""
    for sync in reversed(list(re.finditer(rb"\xff[\xf8\xf9]", tail))):
        frame = _parse_frame(tail[sync.start() : sync.start() + 16], block_size)
        if frame is not None and _crc(tail[sync.start() :], 0x8005, 16) == 0:
            return frame
    return None


def _parse_frame(header: bytes, block_size: int) -> _FlacFrame | None:
    """Read a frame header of 6 to 16 bytes; return None where its checksum does not match."""
    if len(header) < 6:
        return None
    size_code, rate_code, bits_code = header[2] >> 4, header[2] & 15, header[3] >> 1 & 7
    leading = 8 - (~header[4] & 0xFF).bit_length()  # the number is coded as UTF-8 codes characters
    number_end = 4 + max(1, leading)
    size_bytes = {6: 1, 7: 2}.get(size_code, 0)
    end = number_end + size_bytes + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if leading in (1, 8) or size_code == 0 or end >= len(header) or _crc(header[: end + 1], 0x07, 8):
        return None
    number = header[4] & (0x7F >> leading)
    for byte in header[5:number_end]:
        number = number << 6 | byte & 0x3F
    if size_bytes:
        length = int.from_bytes(header[number_end : number_end + size_bytes]) + 1
    else:
        length = 192 if size_code == 1 else 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    first = number if header[1] & 1 else number * block_size  # variable block sizes count samples
    return _FlacFrame(first + length, {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}.get(bits_code))


def _crc(message: bytes, polynomial: int, bits: int) -> int:
    """Return the cyclic redundancy check, highest bit first, from 0; 0 for a message with its own check."""
    table, mask, value = _crc_table(polynomial, bits), (1 << bits) - 1, 0
    for byte in message:
        value = (value << 8 & mask) ^ table[value >> bits - 8 ^ byte]
    return value


@lru_cache
def _crc_table(polynomial: int, bits: int) -> list[int]:
    table = []
    for value in range(256):
        value <<= bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial | 1 << bits if value >> bits - 1 else 0)
        table.append(value)
    return table


def check_ogg(read: Read, size: int) -> Iterator[Note]:
    """Check the pages of an Ogg stream; missing ones show later, when fewer frames decode than it counts."""
    position, flags, streams_may_begin = 0, OGG_FIRST, True
    while len(page := read(position, 27 + 255)) >= 27 and page.startswith(b"OggS"):
        flags = page[5]
        streams_may_begin &= bool(flags & OGG_FIRST)
        if flags & OGG_FIRST and not streams_may_begin:
            raise RecordingRejected(
                "several-streams",
                f"several Ogg streams in a row, the second from byte {position} on: split it",
            )
        position += 27 + page[26] + sum(page[27 : 27 + page[26]])
    if position > size or (page and b"OggS".startswith(page[:4])):
        raise RecordingRejected("cut-short", f"cut short: the file ends at byte {size}, within an Ogg page")
    if position < size:
        yield Note("trailing-bytes", f"{size - position} bytes from byte {position} on are not Ogg pages")
    elif not flags & OGG_LAST:
        yield Note("no-end-mark", "the Ogg stream has no end mark: it may have been cut")
