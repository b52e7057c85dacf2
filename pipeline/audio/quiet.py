"""Silence for libraries in C that print warnings about a file on standard error.

libmpg123, inside libsndfile, prints by C's `stderr` and has no setting that libsndfile passes on. To redirect
file descriptor 2 would silence the whole process. So only C's variable is exchanged: what Python prints,
also in other threads, is not affected.
"""

import ctypes
import functools
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Discard what libraries print by C's `stderr` within the block; without glibc nothing changes."""
    global _inside
    streams = _streams()
    if streams is None:
        yield
        return
    variable, usual, null = streams
    with _lock:
        _inside += 1
        variable.value = null
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                variable.value = usual


@functools.cache
def _streams() -> tuple[ctypes.c_void_p, int | None, int] | None:
    """Return C's variable `stderr`, its usual value, and a stream to the null device."""
    if platform.libc_ver()[0] != "glibc":
        return None  # elsewhere the variable is a constant, or has another name
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    null = library.fopen(os.devnull.encode(), b"w")
    variable = ctypes.c_void_p.in_dll(library, "stderr")
    return (variable, variable.value, null) if null else None
