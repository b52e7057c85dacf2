"""Reading files of rows in blocks of bounded size."""

from collections.abc import Iterator
from typing import IO, Any

import numpy as np

BLOCK_BYTES = 1 << 22


def read_blocks(source: IO[bytes], width: int, dtype: np.dtype[Any]) -> Iterator[np.ndarray]:
    """Yield the rows of an open file, from its start, a few MiB at a time.

    Args:
        source: a file open for reading bytes, which may seek.
        width: values per row.
        dtype: type of the values.

    Yields:
        Arrays (r, width). An incomplete row at the end is an error of NumPy's.
    """
    source.seek(0)
    row_bytes = width * dtype.itemsize
    while data := source.read(BLOCK_BYTES // row_bytes * row_bytes):
        yield np.frombuffer(data, dtype).reshape(-1, width)
