"""Locks on files, with a line on standard error while one waits."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import one_line


@contextmanager
def announced_lock(path: Path, what: str) -> Iterator[None]:
    """Hold a lock on a file, waiting for it with a notice on standard error.

    Args:
        path: the lock file.
        what: the work that another process is doing, for the notice.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"wavecast: waiting for another process: {one_line(what)}", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
