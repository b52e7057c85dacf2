"""Reading files of rows in blocks of bounded size."""

from collections.abc import Iterator
from typing import IO, Any

import numpy as np

BLOCK_BYTES = 1 << 22


def read_blocks(source: IO[bytes], width: int, dtype: np.dtype[Any]) -> Iterator[np.ndarray]:
    """Yield the rows (r, width) of an open file, from its start, a few MiB at a time."""
    source.seek(0)
    row_bytes = width * dtype.itemsize
    while data := source.read(BLOCK_BYTES // row_bytes * row_bytes):
        yield np.frombuffer(data, dtype).reshape(-1, width)
