"""Mutations of valid files: numbers, lengths, ends, repetitions, and the structure of JSON, zip and Ogg."""

import copy
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Change = Callable[[bytes, Random], bytes]

NUMBERS = [
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 40,
    1 << 63,
]
NESTING = 100_000
"""Far more than any reader may follow."""
STRANGE: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 10**4_000),
    *(0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "x", "\0", "../../x", "1", "a" * 5_000, "\u202egnp", "\ud800"),
    *([], {}, [[]], [None], {"": {}}, [0] * 3_000),
]


def strange(draw: Random) -> Any:
    """A value that hardly any place of a file may have; a copy, since it may be changed in its turn."""
    return copy.deepcopy(draw.choice(STRANGE))


def change_bits(data: bytes, draw: Random) -> bytes:
    """Flip one to eight bits."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 8)):
        changed[_place(changed, draw)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def change_number(data: bytes, draw: Random) -> bytes:
    """Replace 1, 2, 4 or 8 bytes, mostly near the start, by a number at the end of a range."""
    code = draw.choice(["B", "<H", ">H", "<I", ">I", "<Q", ">Q"])
    size, changed = struct.calcsize(code), bytearray(data)
    value = draw.choice(NUMBERS) & ((1 << 8 * size) - 1)
    place = _place(changed, draw)
    changed[place : place + size] = struct.pack(code, value)
    return bytes(changed)


def nudge_number(data: bytes, draw: Random) -> bytes:
    """Add a little to a byte, so that a length or a count is wrong by a little."""
    changed = bytearray(data)
    place = _place(changed, draw)
    changed[place] = (changed[place] + draw.choice([-8, -2, -1, 1, 2, 8])) & 0xFF
    return bytes(changed)


def cut(data: bytes, draw: Random) -> bytes:
    """Leave out the end."""
    return data[: draw.randrange(len(data))]


def leave_out(data: bytes, draw: Random) -> bytes:
    """Leave out a stretch."""
    start = _place(data, draw)
    return data[:start] + data[start + draw.randint(1, 64) :]


def repeat(data: bytes, draw: Random) -> bytes:
    """Repeat a stretch, once or many times."""
    start = _place(data, draw)
    piece = data[start : start + draw.randint(1, 64)]
    return data[:start] + piece * draw.choice([2, 3, 100]) + data[start:]


def overwrite(data: bytes, draw: Random) -> bytes:
    """Overwrite a stretch with zeros, as a power loss leaves it, or with noise."""
    start, count = _place(data, draw), draw.choice([4, 16, 512, 4_096])
    filling = bytes(count) if draw.random() < 0.5 else draw.randbytes(count)
    return (data[:start] + filling + data[start + count :])[: len(data)]


BYTES: Sequence[Change] = (
    change_bits,
    change_number,
    change_number,
    nudge_number,
    cut,
    leave_out,
    repeat,
    overwrite,
)
"""Mutations that need no knowledge of the format."""


def mutate_bytes(data: bytes, draw: Random) -> bytes:
    """Apply one to three mutations of bytes."""
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        if data:
            data = draw.choice(BYTES)(data, draw)
    return data


def mutate_value(value: Any, draw: Random) -> Any:
    """Replace, remove, add or move one to three parts of a value of JSON."""
    value = copy.deepcopy(value)
    for _ in range(draw.choice([1, 1, 2, 3])):
        places = list(_places(value))
        if not places:
            return strange(draw)
        holder, key = draw.choice(places)
        if key not in (holder if isinstance(holder, dict) else range(len(holder))):
            continue
        kind = draw.random()
        if kind < 0.6:
            holder[key] = strange(draw)
        elif kind < 0.75:
            del holder[key]
        elif kind < 0.9 and isinstance(holder, dict):
            holder[draw.choice(["unknown", "", "__class__", "kind"])] = strange(draw)
        else:
            holder[key] = copy.deepcopy(draw.choice(places)[0])
    return value


def mutate_json(data: bytes, draw: Random, seal: Callable[[Any], bytes] | None = None) -> bytes:
    """Mutate the value of a JSON text, or rarely its bytes; ``seal`` makes the text of the mutated value."""
    if draw.random() < 0.2:
        return mutate_bytes(data, draw)
    if draw.random() < 0.03:
        return b'{"a":' * NESTING + b"1" + b"}" * NESTING
    value = mutate_value(json.loads(data), draw)
    try:
        return seal(value) if seal else text_of(value)
    except (TypeError, ValueError, AttributeError):
        return text_of(value)


def text_of(value: Any) -> bytes:
    """The JSON text of a value, with numbers of any length."""
    return json.dumps(value).encode()


def mutate_lines(data: bytes, draw: Random) -> bytes:
    """Mutate the lines of a text: leave out, repeat, exchange, or change within one."""
    if draw.random() < 0.4:
        return mutate_bytes(data, draw)
    lines = data.splitlines(keepends=True)
    place = draw.randrange(len(lines))
    kind = draw.randrange(5)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(place, lines[place] * draw.choice([1, 50]))
    elif kind == 2:
        lines[place] = mutate_bytes(lines[place], draw)
    elif kind == 3:
        lines[place] = lines[place].replace(b",", draw.choice([b"", b",,", b'"', b"\t", b"\0"]))
    else:
        fields = lines[place].rstrip(b"\n").split(b",")
        fields[draw.randrange(len(fields))] = str(strange(draw)).encode(errors="surrogatepass")
        lines[place] = b",".join(fields) + b"\n"
    return b"".join(lines)


def mutate_zip(data: bytes, draw: Random) -> bytes:
    """Mutate members of a zip archive, whose sums are made valid again; or rarely the archive itself."""
    if draw.random() < 0.3:
        return mutate_bytes(data, draw)
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w") as archive:
        names = source.namelist()
        chosen = draw.choice(names)
        for name in names:
            content = source.read(name)
            if name == chosen:
                kind = draw.random()
                if kind < 0.1:
                    continue
                content = (
                    mutate_bytes(content, draw) if kind < 0.9 else draw.choice([b"", b"text", b"\x80\x04."])
                )
            packing = draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
            archive.writestr(name, content, packing)
    return target.getvalue()


def mutate_ogg(data: bytes, draw: Random) -> bytes:
    """Mutate the bytes of an Ogg stream; the sums of its pages are made valid again."""
    changed = bytearray(mutate_bytes(data, draw))
    start = changed.find(b"OggS")
    while start >= 0 and draw.random() < 0.95:
        head = changed[start : start + 27]
        if len(head) < 27:
            break
        table = changed[start + 27 : start + 27 + head[26]]
        end = start + 27 + len(table) + sum(table)
        changed[start + 22 : start + 26] = bytes(4)
        changed[start + 22 : start + 26] = struct.pack("<I", _ogg_sum(changed[start:end]))
        start = changed.find(b"OggS", start + 4)
    return bytes(changed)


def _ogg_sum(page: bytes) -> int:
    """CRC-32 of polynomial 0x04c11db7, neither reflected nor inverted, by way of zlib's."""
    # zlib's is reflected: with the bits of all bytes reversed, and its start and end undone, it is the same.
    reversed_bytes = bytes(page).translate(_REVERSED)
    undone = zlib.crc32(reversed_bytes, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{undone:032b}"[::-1], 2)


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _place(data: Sequence[int], draw: Random) -> int:
    """A place in a file, half of the time in its first 256 bytes."""
    return draw.randrange(min(len(data), 256) if draw.random() < 0.5 else len(data)) if data else 0


def _places(value: Any) -> Any:
    """Yield the container and key of each part of a value of JSON."""
    if isinstance(value, dict | list):
        for key, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from _places(part)
