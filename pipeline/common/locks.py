"""Locks on files, with a line on standard error while one waits."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import one_line


@contextmanager
def announced_lock(path: Path, what: str) -> Iterator[None]:
    """Hold the lock at ``path``; if another process holds it, print that ``what`` is waited for."""
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
