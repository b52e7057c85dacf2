"""Moving of files, so that a process that is killed at any moment loses none and leaves none half moved."""

import errno
import filecmp
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
LONGEST_NAME = 200


def move(source: Path, target: Path) -> Path | None:
    """Move a file to ``target``, or to a name with a number where another content has that name.

    Args:
        source: a regular file.
        target: its folder is made where it is missing.

    Returns:
        Where it is now; None where the same content was there already, and ``source`` was deleted.

    Raises:
        OSError: it cannot be moved; ``source`` is unchanged.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for candidate in _names(target):
        if os.path.lexists(candidate):
            if candidate.is_file() and filecmp.cmp(source, candidate, shallow=False):
                source.unlink()
                return None
            continue
        try:
            _move_new(source, candidate)
        except FileExistsError:  # another process was faster
            continue
        return candidate
    raise AssertionError("the names do not end")


def _names(target: Path) -> Iterator[Path]:
    yield target
    for number in itertools.count(2):
        yield target.with_name(f"{target.stem}-{number}{target.suffix}")


def _move_new(source: Path, target: Path) -> None:
    """Move a file to a name that is free; an existing file is never replaced."""
    try:
        os.link(source, target)
    except OSError as problem:
        if problem.errno == errno.EXDEV:
            _copy(source, target)
        elif problem.errno in NO_LINKS:
            source.rename(target)
            return
        else:
            raise
    _sync_folder(target.parent)
    # Killed before this line, the file has both names: the next move finds the same content and deletes one.
    source.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy a file to another file system; the target has its name once it is complete and on the disk."""
    temporary = target.with_name(f".{target.name[:LONGEST_NAME]}.ingest")
    shutil.copy2(source, temporary)
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.rename(target)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
