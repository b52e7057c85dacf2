"""A file or folder that nothing needs, and its removal under the locks of those who could use it."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

LOCKS = (".lock", ".training.lock", ".sync.lock")
"""Lock files, which stay: another process may wait for one."""


@dataclass(frozen=True)
class Leftover:
    """Something that can be removed.

    Attributes:
        kind: `temporary`, `download`, `checkpoint` or `data`.
        path: the file or folder.
        bytes: what its removal frees.
        reason: why nothing needs it.
        locks: lock files that have to be free while it is removed.
        elsewhere: files in other folders that are removed with it.
    """

    kind: str
    path: Path
    bytes: int
    reason: str
    locks: tuple[Path, ...] = ()
    elsewhere: tuple[Path, ...] = ()


def is_free(locks: Iterable[Path]) -> bool:
    """Return whether no process holds one of these locks; no lock file is made."""
    for lock in locks:
        if lock.exists():
            try:
                with FileLock(lock, timeout=0):
                    pass
            except (Timeout, OSError):
                return False
    return True


def remove(leftover: Leftover) -> str | None:
    """Remove a leftover; return None, or the reason why it is still there."""
    with ExitStack() as held:
        try:
            for lock in leftover.locks:
                if lock.parent.is_dir():
                    held.enter_context(FileLock(lock, timeout=0))
            _remove(leftover.path)
            for file in leftover.elsewhere:
                file.unlink(missing_ok=True)
        except Timeout:
            return "in use by another process"
        except OSError as problem:
            return problem.strerror or str(problem)
    return None


def _remove(path: Path) -> None:
    """Remove a file or a folder, except for lock files in it and the folders that hold them."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for entry in sorted(path.iterdir()):
        if entry.name not in LOCKS:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    with suppress(OSError):  # a lock file stays
        path.rmdir()


def size_of(path: Path) -> int:
    """Return the bytes on disk that the removal of a file or folder frees."""
    # A file with another name frees nothing.
    return sum(found.st_blocks * 512 for found in _stats(path) if found.st_nlink == 1)


def changed(path: Path) -> float:
    """Return when a file, or anything in a folder, was last changed, in seconds since 1970."""
    return max((found.st_mtime for found in _stats(path, folders=True)), default=0.0)


def _stats(path: Path, folders: bool = False) -> Iterator[os.stat_result]:
    with suppress(OSError):
        found = path.lstat()
        if path.is_symlink() or not path.is_dir():
            yield found
            return
        if folders:
            yield found
    for folder, names, files in os.walk(path):
        for name in (*files, *(names if folders else ())):
            with suppress(OSError):
                yield (Path(folder) / name).lstat()
