"""The files of a folder that have arrived completely."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PARTIAL_SUFFIXES = (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".temp")
"""Suffixes that programs give to a file until all of it is there."""


@dataclass(frozen=True)
class Stamp:
    """Size and time of change of a file, by which a change is noticed."""

    size: int
    mtime_ns: int


@dataclass
class Arrivals:
    """The files of a folder over several looks.

    Attributes:
        folder: is looked at with all folders below it.
        settle_seconds: a file is complete once it is unchanged for this long, over two looks at least.
    """

    folder: Path
    settle_seconds: float
    _since: dict[Path, tuple[Stamp, float]] = field(default_factory=dict)

    def look(self) -> tuple[dict[Path, Stamp], int]:
        """Return the complete files in a fixed order, and the number of those that are not complete yet."""
        now, before = time.monotonic(), self._since
        self._since = {}
        complete: dict[Path, Stamp] = {}
        for path, stamp in files_below(self.folder):
            known, since = before.get(path, (None, now))
            self._since[path] = (stamp, since if known == stamp else now)
            if known == stamp and now - since >= self.settle_seconds and not is_being_written(path):
                complete[path] = stamp
        return complete, len(self._since) - len(complete)


def files_below(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Yield the regular files below a folder in sorted order, without hidden and partial ones and links."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in sorted(names):
            if name.startswith(".") or name.lower().endswith(PARTIAL_SUFFIXES):
                continue
            with suppress(OSError):  # it was moved or deleted meanwhile
                found = Path(parent, name).lstat()
                if stat.S_ISREG(found.st_mode):
                    yield Path(parent, name), Stamp(found.st_size, found.st_mtime_ns)


def others_below(folder: Path) -> Iterator[Path]:
    """Yield the links, devices and pipes below a folder, which are never taken in."""
    for parent, folders, names in os.walk(folder):
        for name in sorted((*folders, *names)):
            with suppress(OSError):
                mode = Path(parent, name).lstat().st_mode
                if not (name.startswith(".") or stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    yield Path(parent, name)


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file, None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return Stamp(found.st_size, found.st_mtime_ns)


def is_being_written(path: Path) -> bool:
    """Return whether a process has a file open for writing, where the system can tell (Linux, own files)."""
    import fcntl

    set_lease = getattr(fcntl, "F_SETLEASE", None)
    if set_lease is None:
        return False
    try:
        with path.open("rb") as file:
            # A read lease is granted only for a file that nobody has open for writing.
            fcntl.fcntl(file, set_lease, fcntl.F_RDLCK)
            fcntl.fcntl(file, set_lease, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
