"""Rows on their way to a file: written with moments and checksum, and copied by the kernel."""

import errno
import os
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import xxhash

from pipeline.common.blocks import read_blocks

COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class WrittenRows:
    """What was written of one recording.

    Attributes:
        length: number of rows.
        moments: sum, sum of squares, minimum and maximum, float64 (4, width).
        checksum: XXH3 of their bytes.
    """

    length: int
    moments: np.ndarray
    checksum: str


def write_rows(rows: IO[bytes], target: IO[bytes] | None, width: int, dtype: np.dtype[Any]) -> WrittenRows:
    """Copy the rows of an open file, from its start, to ``target``; without a target only measure them."""
    moments = no_moments(width)
    found, length = xxhash.xxh3_64(), 0
    for block in read_blocks(rows, width, dtype):
        if target is not None:
            target.write(block.data)
        found.update(block.data)
        values = block.astype(np.float64)
        moments[2] = np.minimum(moments[2], values.min(0))
        moments[3] = np.maximum(moments[3], values.max(0))
        moments[:2] += (values.sum(0), np.square(values, out=values).sum(0))
        length += len(block)
    return WrittenRows(length, moments, found.hexdigest())


def no_moments(width: int) -> np.ndarray:
    """Return the moments of no rows: sum, sum of squares, minimum, maximum, each (width,)."""
    return np.repeat([[0.0], [0.0], [np.inf], [-np.inf]], width, 1)


def copy_bytes(source: IO[bytes], begin: int, size: int, target: IO[bytes]) -> None:
    """Copy bytes from a position of ``source`` to where ``target`` is, within the kernel where possible."""
    target.flush()
    source.seek(begin)
    try:
        files = source.fileno(), target.fileno()
    except (OSError, AttributeError):
        _copy_through_memory(source, size, target)
        return
    position, end = begin, begin + size
    while position < end:
        try:
            copied = os.copy_file_range(*files, end - position, position)
        except (OSError, AttributeError) as problem:
            if getattr(problem, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            break  # another file system, or a kernel without it
        if not copied:
            raise EOFError(f"{end - position} bytes of rows are missing")
        position += copied
    target.seek(0, os.SEEK_CUR)
    target.seek(os.lseek(files[1], 0, os.SEEK_CUR))
    source.seek(position)
    _copy_through_memory(source, end - position, target)


def _copy_through_memory(source: IO[bytes], size: int, target: IO[bytes]) -> None:
    while size:
        data = source.read(min(size, COPY_BYTES))
        if not data:
            raise EOFError(f"{size} bytes of rows are missing")
        target.write(data)
        size -= len(data)
