"""SHA-256 of settings and of files, which names runs, data sets and models; checksums of stored bytes."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, BinaryIO

PIECE_BYTES = 1 << 20


def digest_json(value: Any, followed_by: bytes = b"") -> str:
    """Return the SHA-256 digest of a value as JSON with sorted keys, as 64 hexadecimal digits.

    Folders on disk are named by these digits. Another way of writing the JSON would not find them again.

    Args:
        value: what `json.dumps` accepts.
        followed_by: bytes that are hashed after the JSON.

    Example:
        >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
        True
    """
    found = hashlib.sha256(json.dumps(value, sort_keys=True).encode())
    found.update(followed_by)
    return found.hexdigest()


def digest_file(path: Path) -> str:
    """Return the digest of the bytes of ``path``, which is read in pieces."""
    with path.open("rb") as file:
        return digest_stream(file)


def digest_stream(file: BinaryIO, length: int | None = None) -> str:
    """Return the SHA-256 digest of the next bytes of an open file, as 64 hexadecimal digits.

    The file's position is after these bytes when the function returns.

    Args:
        file: a file open for reading bytes.
        length: number of bytes; None reads to the end.
    """
    found, left = hashlib.sha256(), sys.maxsize if length is None else length
    while left > 0 and (piece := file.read(min(left, PIECE_BYTES))):
        found.update(piece)
        left -= len(piece)
    return found.hexdigest()


def checksum(data: bytes | memoryview) -> str:
    """Return the XXH3 checksum (128 bits) of ``data`` with its kind before it: `xxh3-128:...`.

    It is several times faster than reading, and recognises damage, but no intention.
    """
    from xxhash import xxh3_128_hexdigest

    return f"xxh3-128:{xxh3_128_hexdigest(data)}"
