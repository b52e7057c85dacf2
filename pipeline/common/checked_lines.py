"""Lines of JSON that carry a checksum, so that a damaged one is noticed.

Each line is a JSON object whose last key is `line_xxh3`: the XXH3 (64 bits) of the line without it. A reader
that does not check the lines sees one more key.
"""

import json
from typing import Any

import xxhash

MARK = ', "line_xxh3": "'
SUFFIX_LENGTH = len(MARK) + 16 + len('"}')


class DamagedLine(ValueError):
    """A line that is not JSON, or does not have the checksum that it states."""


def checksum(data: Any) -> str:
    """Return the XXH3 of bytes (64 bits) as 16 hexadecimal digits."""
    return xxhash.xxh3_64_hexdigest(data)


def checked_line(value: dict[str, Any]) -> str:
    """Return ``value``, which has at least one key, as one line of ASCII with its checksum."""
    # json escapes what is not ASCII, so that even a file name that is not UTF-8 survives.
    text = json.dumps(value, default=str)
    return f'{text[:-1]}{MARK}{checksum(text.encode())}"}}\n'


def read_checked_line(line: bytes, required: bool = True) -> dict[str, Any]:
    """Return the object of a line without its checksum.

    Args:
        line: with or without its line break.
        required: whether a line without checksum, as an earlier release wrote it, counts as damaged.

    Raises:
        DamagedLine: the line is not a JSON object, or its checksum is another.
    """
    text = line.rstrip(b"\n")
    body, tail = text[:-SUFFIX_LENGTH] + b"}", text[-SUFFIX_LENGTH:]
    marked = tail.startswith(MARK.encode())
    if (required and not marked) or (marked and tail[len(MARK) :] != f'{checksum(body)}"}}'.encode()):
        raise DamagedLine("a line has another checksum than it states")
    try:
        value = json.loads(body if marked else text)
    except ValueError as problem:
        raise DamagedLine(f"a line is not JSON ({problem})") from None
    if not isinstance(value, dict):
        raise DamagedLine("a line is not a JSON object")
    return value
