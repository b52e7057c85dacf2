"""The rows of a store as one array in memory, however many files they lie in.

One file is mapped by NumPy. Several are mapped one behind the other into one reserved range of addresses, for
which the system's own `mmap` is called: Python's cannot choose the address.
"""

import ctypes
import mmap
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.store.pieces import Piece, pieces_within

NO_ACCESS = 0
AT_THIS_ADDRESS = 0x10
"""`PROT_NONE` and `MAP_FIXED`, which the module `mmap` does not name; the same on Linux and macOS."""
FAILED = 2 ** (8 * ctypes.sizeof(ctypes.c_void_p)) - 1


def map_rows(store: Path, dtype: np.dtype[Any], shape: tuple[int, int]) -> np.ndarray:
    """Return the first rows (R, width) of a store, mapped for reading only.

    Raises:
        UserError: the disk of some of them is away.
        OSError, ValueError: they cannot be mapped, or there are fewer.
    """
    size = shape[0] * shape[1] * dtype.itemsize
    pieces = pieces_within(store, size)
    if len(pieces) < 2:
        return np.asarray(np.memmap(store / "rows.bin", dtype, "r", shape=shape))
    rows: np.ndarray = np.frombuffer(memoryview(_joined(pieces, size)), dtype).reshape(shape)
    rows.flags.writeable = False
    return rows


def _joined(pieces: list[tuple[Piece, int]], size: int) -> "ctypes.Array[ctypes.c_char]":
    """Return the bytes of pieces, which are unmapped when nothing refers to them any more."""
    system = ctypes.CDLL(None, use_errno=True)
    system.mmap.restype = ctypes.c_void_p
    system.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_ssize_t]
    system.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

    def mapped(address: int | None, length: int, access: int, flags: int, file: int) -> int:
        found = system.mmap(address, length, access, flags, file, 0)
        if found in (None, FAILED):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return int(found)

    address = mapped(None, size, NO_ACCESS, mmap.MAP_PRIVATE | mmap.MAP_ANON, -1)
    joined = (ctypes.c_char * size).from_address(address)
    weakref.finalize(joined, system.munmap, address, size).atexit = False  # other threads may still read
    for piece, length in pieces:
        with piece.path.open("rb") as file:
            flags = mmap.MAP_SHARED | AT_THIS_ADDRESS
            mapped(address + piece.begin, length, mmap.PROT_READ, flags, file.fileno())
    return joined
