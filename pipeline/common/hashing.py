"""SHA-256 of settings and of files, which names runs, data sets and models; checksums of stored bytes."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, BinaryIO

PIECE_BYTES = 1 << 20


def digest_json(value: Any, followed_by: bytes = b"") -> str:
    """Return the digest of ``value`` as JSON with sorted keys, and of the bytes ``followed_by`` after it.

    Folders on disk are named by these digits: another way of writing the JSON would not find them again.
    """
    found = hashlib.sha256(json.dumps(value, sort_keys=True).encode())
    found.update(followed_by)
    return found.hexdigest()


def digest_file(path: Path) -> str:
    """Return the digest of the bytes of ``path``, which is read in pieces."""
    with path.open("rb") as file:
        return digest_stream(file)


def digest_stream(file: BinaryIO, length: int | None = None) -> str:
    """Return the digest of the next ``length`` bytes of an open file, or of all to its end.

    The file is left after them.
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
