"""Temporary files of commands that were killed, and downloads and shards that nobody continued."""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from pipeline.housekeeping.leftovers import LOCKS, Leftover, changed, is_free, size_of

TEMPORARY = re.compile(r"\..*-[0-9a-f]{8}(\.[^/]*)?", re.DOTALL)
"""Names that `pipeline.common.files.atomic_path` gives, and those of SQLite beside them."""
QUIET_S = 3600.0
"""Time without a change after which a temporary file that no process has open is a remnant."""
OTHERS = ("public", "prefect", "artifacts")
"""Folders of the data folder and of MLflow's store that hold the files of others."""
ABANDONED_DAYS = 7.0
SYSTEM_PREFIX = "wavecast-"
DAY_S = 86_400.0


def temporaries(home: Path) -> Iterator[Leftover]:
    """Yield what killed commands left of files that they were writing below the data folder ``home``."""
    opened = _open_files()
    for folder, names, files in os.walk(home):
        place = Path(folder)
        names[:] = [name for name in names if place not in (home, home / "mlflow") or name not in OTHERS]
        locks = tuple(place / name for name in LOCKS if name in files)
        locks += tuple(place / name for name in files if name.endswith(".lock") and place.name == "mlflow")
        for name in files:
            path = place / name
            if not TEMPORARY.fullmatch(name) or str(path) in opened:
                continue
            if time.time() - changed(path) > QUIET_S and is_free(locks):
                reason = "a file that a killed command was writing"
                yield Leftover("temporary", path, size_of(path), reason, locks)


def unfinished(home: Path, older_than_days: float) -> Iterator[Leftover]:
    """Yield shards of preparations and parts of downloads that were not continued for some days."""
    for shards in home.glob("prepared/*/.shards"):
        locks = (shards.parent / ".lock",)
        if _is_old(shards, older_than_days) and is_free(locks):
            reason = "shards of a preparation that was not continued"
            yield Leftover("temporary", shards, size_of(shards), reason, locks)
    for copy in home.glob("models-cache/.*"):
        if copy.is_dir() and time.time() - changed(copy) > QUIET_S:
            yield Leftover("temporary", copy, size_of(copy), "a model that was not fetched to its end")
    for work in home.glob("public/.*.fetch"):
        locks = (work.with_suffix(".lock"),)
        if _is_old(work, older_than_days) and is_free(locks):
            reason = "a download that was not continued"
            yield Leftover("download", work, size_of(work), reason, locks)


def system_temporaries(folder: Path | None = None) -> Iterator[Leftover]:
    """Yield this user's files in the system's temporary folder that no process owns.

    A file is owned while a process has it open, or while a Python program runs that was started before the
    last change of the file, unless that is `ABANDONED_DAYS` ago.

    Args:
        folder: the folder; None is the system's.
    """
    place = folder or Path(tempfile.gettempdir())
    opened, started = _open_files(), _first_start()
    for path in sorted(place.glob(f"{SYSTEM_PREFIX}*")):
        if path.is_symlink() or path.stat().st_uid != os.getuid() or path.name.startswith("wavecast-cache-"):
            continue
        is_open = any(name == str(path) or name.startswith(f"{path}{os.sep}") for name in opened)
        if not is_open and (changed(path) < started or _is_old(path, ABANDONED_DAYS)):
            yield Leftover("temporary", path, size_of(path), "of a command that has ended")


def _is_old(path: Path, days: float) -> bool:
    return time.time() - changed(path) >= days * DAY_S


def _open_files() -> set[str]:
    """Return the files that processes of this user have open, and their working folders."""
    found: set[str] = set()
    for process in psutil.process_iter():
        try:
            found.update(file.path for file in process.open_files())
            found.add(process.cwd())
        except (psutil.Error, OSError):
            continue
    return found


def _first_start() -> float:
    """Return when the oldest Python program of this user was started, except for this one and its parents."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    starts = [time.time()]
    for process in psutil.process_iter():
        try:
            names = (process.name(), Path((process.cmdline() or [""])[0]).name)
            if process.pid not in own and any("python" in n or "wavecast" in n for n in names):
                starts.append(process.create_time())
        except (psutil.Error, OSError):
            continue
    return min(starts)
