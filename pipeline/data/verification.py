"""Verification of stored rows against their checksums, and their restoration from the recordings.

Damaged rows, such as flipped bits or zeros after a failure of a disk, would otherwise be trained on without
notice. Each recording is verified once after a data set is opened, when its rows are first used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.common.checked_lines import checksum
from pipeline.common.locks import announced_lock
from pipeline.data.store.pieces import replace_bytes
from pipeline.errors import RecordingRejected, UserError

if TYPE_CHECKING:
    import numpy as np

    from pipeline.features.representation import Representation


class PreparedRows(Protocol):
    """The attributes of `pipeline.data.dataset.Dataset` that are read here."""

    @property
    def path(self) -> Path: ...
    @property
    def rows(self) -> np.ndarray: ...
    @property
    def offset(self) -> np.ndarray: ...
    @property
    def length(self) -> np.ndarray: ...
    @property
    def entries(self) -> list[dict[str, Any]]: ...
    @property
    def verified(self) -> set[int]: ...
    @property
    def representation(self) -> Representation: ...


def verify_rows(dataset: PreparedRows, indices: Iterable[int]) -> None:
    """Compare the rows of recordings with their checksums, and convert damaged ones again.

    Args:
        dataset: an open data set; what was verified before is not verified again.
        indices: positions of recordings in it.

    Raises:
        UserError: damaged rows cannot be made again, since a recording is gone or was changed.
    """
    new = [index for index in indices if index not in dataset.verified]
    damaged = damaged_rows(dataset, new)
    if damaged:
        store = dataset.path.parent.parent
        with announced_lock(store / ".lock", f"{store} is being prepared"):
            for index in damaged:
                _restore(dataset, index, len(damaged))
        what = f"the damaged rows of {_counted(len(damaged))} were converted again"
        print(f"wavecast: {store / 'rows.bin'}: {what}", file=sys.stderr)
    dataset.verified.update(new)


def damaged_rows(dataset: PreparedRows, indices: Iterable[int]) -> list[int]:
    """Return those of the recordings whose rows have another checksum than when they were written."""
    return [index for index in indices if _is_damaged(dataset, index)]


def _is_damaged(dataset: PreparedRows, index: int) -> bool:
    stated = _entry(dataset, index).get("checksum")
    begin = int(dataset.offset[index])
    rows = dataset.rows[begin : begin + int(dataset.length[index])]
    return stated is not None and checksum(rows.data) != stated


def _entry(dataset: PreparedRows, index: int) -> dict[str, Any]:
    return dataset.entries[index] if dataset.entries else {}


def _restore(dataset: PreparedRows, index: int, count: int) -> None:
    """Convert a recording again and write its rows in their place; other data sets share them."""
    store, entry = dataset.path.parent.parent, _entry(dataset, index)
    try:
        rows = _rows_again(entry, dataset.representation)
        if checksum(rows) != entry["checksum"]:
            raise RecordingRejected("changed", "it was changed, or the decoder was")
    except (RecordingRejected, OSError) as problem:
        raise UserError(
            f"{store / 'rows.bin'}: the rows of {_counted(count)} are damaged, such as those of "
            f"{entry['path']}, which cannot be converted again ({problem}); delete {store} and prepare again"
        ) from None
    replace_bytes(store, entry["offset"] * dataset.rows[:1].nbytes, rows)
    if _is_damaged(dataset, index):
        raise UserError(f"{store / 'rows.bin'}: rows that were written again are damaged; check the disk")


def _rows_again(entry: dict[str, Any], representation: Representation) -> bytes:
    """Return the rows of a recording, converted from its file."""
    from pipeline.data.corpora.source import Source
    from pipeline.data.preparing.conversion import convert

    if representation.sound is None:
        return _notes_again(entry, representation)
    part = dict(entry.get("part") or {})
    path = Path(part.pop("file", entry["path"]))
    source = Source(path=path, group=None, split=None, **part)
    converted = convert(source, representation.sound, lambda key: False)
    assert converted.rows is not None
    with converted.rows as rows:
        rows.seek(0)
        return rows.read()


def _notes_again(entry: dict[str, Any], representation: Representation) -> bytes:
    """Return the rows of that sequence of a file which has the checksum; a set names it behind a #."""
    from pipeline.music.piano_roll import read_sequences

    assert representation.notes is not None
    path = Path(entry["path"])
    file = path if path.exists() else path.with_name(path.name.rpartition("#")[0] or path.name)
    for sequence in read_sequences(file, representation.notes.steps_per_quarter):
        if checksum(rows := sequence.notes.tobytes()) == entry["checksum"]:
            return rows
    raise RecordingRejected("changed", "its file was changed")


def _counted(count: int) -> str:
    return "one recording" if count == 1 else f"{count} recordings"
