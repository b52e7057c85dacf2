"""Prepared data sets that no run, no decision about champions and no registered model refers to.

With them go their rows, also those in the folders of `preparation.folders`.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from pipeline.data.store.pieces import FOLDERS, files_elsewhere, pieces_of
from pipeline.housekeeping.leftovers import Leftover, changed, is_free, size_of
from pipeline.tracking.local_store import read_only

REFERRING = ("runs/*/run.json", "promotion/**/*.json", "promotion/**/*.jsonl", "models-cache/**/config.json")
"""Files that name data sets by their fingerprint."""
DAY_S = 86_400.0


def data_sets(home: Path, older_than_days: float) -> Iterator[Leftover]:
    """Yield data sets that nothing refers to, and stores of rows of which no data set is left.

    Nothing is yielded where a file that may refer to a data set cannot be read.
    """
    try:
        references = _references(home)
    except (OSError, sqlite3.Error):
        return
    for store in sorted(home.glob("prepared/*")):
        locks = (store / ".lock",)
        sets = [path.parent for path in sorted(store.glob("*/dataset.json"))]
        if not store.is_dir() or not is_free(locks):
            continue
        if not all(piece.path.exists() for piece in pieces_of(store)):
            continue  # a disk is away
        unused = [folder for folder in sets if folder.name.encode() not in references]
        old = [folder for folder in unused if _is_old(changed(folder), older_than_days)]
        if len(old) == len(sets) and _is_old(_rows_changed(store), older_than_days):
            if pieces_of(store) or (store / "catalogue.json").exists() or sets:
                reason = f"rows of {len(sets)} data sets that no run refers to"
                files = tuple(files_elsewhere(store))
                size = sum(map(size_of, (store, *files)))
                yield Leftover("data", store, size, reason, locks, files)
            continue
        for folder in old:
            yield Leftover("data", folder, size_of(folder), "a data set that no run refers to", locks)


def unnamed_rows(home: Path, older_than_days: float) -> Iterator[Leftover]:
    """Yield files of rows in other folders that no store names, such as those of a store that was deleted."""
    for folder in sorted(home.glob(f"prepared/{FOLDERS}/*/*")):
        store = home / "prepared" / folder.name
        locks = (store / ".lock",)
        if not is_free(locks) or (store.is_symlink() and not store.exists()):
            continue
        named = files_elsewhere(store) if store.is_dir() else []
        for file in sorted(folder.glob("rows*.bin")):
            if file.resolve() not in named and _is_old(changed(file), older_than_days):
                yield Leftover("data", file, size_of(file), "rows that no data set refers to", locks)


def _references(home: Path) -> bytes:
    """Return the text of everything that may name a data set."""
    texts = [path.read_bytes() for pattern in REFERRING for path in home.glob(pattern) if path.is_file()]
    database = home / "mlflow" / "mlflow.db"
    if os.path.lexists(database):  # what is no file cannot be read, and then nothing is removed
        with closing(read_only(database)) as connection:
            found = connection.execute(
                "select value from params where key = 'data_fingerprint'"
                " and run_uuid in (select run_id from model_versions)"
            )
            texts.extend(str(value).encode() for (value,) in found)
    return b"\n".join(texts)


def _rows_changed(store: Path) -> float:
    """Return when the rows or their catalogue were last changed."""
    times = [0.0]
    for path in (store / "catalogue.json", *(piece.path for piece in pieces_of(store))):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def _is_old(changed_at: float, days: float) -> bool:
    return time.time() - changed_at >= days * DAY_S
