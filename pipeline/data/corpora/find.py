"""Recordings, groups and splits from the folders, files, tables and lists that the user names.

Nothing is decoded here and no suffix trusted: every file in a folder counts as a recording until the
decoder rejects it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.common.places import (
    Place,
    beside,
    exists,
    files_below,
    is_below,
    is_folder,
    is_remote,
    parts_below,
    rooted,
)
from pipeline.common.tables import read_table, read_text
from pipeline.config.types import SPLITS, Split
from pipeline.data.corpora.source import Source
from pipeline.errors import UserError

GROUP_BY_FOLDER, GROUP_BY_RECORDING = BY_PLACE = "folder", "recording"


def find_sources(inputs: Sequence[Place], group: str, folder_level: int) -> list[Source]:
    """List what ``inputs`` name, each path once, made absolute, in a fixed order.

    An input is a folder (searched through, each folder once, hidden files and README left out), a ``.csv``
    with a column ``path`` and perhaps ``split`` and ``group``'s, a ``.txt`` with a path a line, or a
    recording. Paths in a table or list are relative to it and need not exist: the decoder rejects those.

    ``group`` is "folder" (the name of the folder ``folder_level`` below a folder, or below the one where a
    table's or list's files lie; a file less deep is its own group), "recording", or a column of the tables.
    A group that has a split in one row has it in all. Raises `UserError` for what is missing, empty or
    contradicts itself.
    """
    if folder_level < 1:
        raise UserError(f"folder level {folder_level}: 1 is for ROOT/GROUP/file, 2 for ROOT/x/GROUP/file", 2)
    found: dict[Place, Source] = {}
    decided = _Decisions()
    for named in inputs:
        for source, place in _sources_of(named, group, folder_level):
            first = found.get(source.path)
            if first is None or first.group is None:
                found[source.path] = first = source
            elif group not in BY_PLACE and source.group not in (None, first.group):
                raise UserError(f"{place}: {source.path} is of {source.group}, but before of {first.group}")
            decided.note(replace(first, split=source.split), place)
    return [decided.apply(source) for source in found.values()]


def _sources_of(named: Place, group: str, folder_level: int) -> Iterator[tuple[Source, str]]:
    """Yield sources and where each was named, for messages."""
    folder = is_folder(named)
    if not folder and not exists(named):
        raise UserError(f"{named}: no such file or folder")
    suffix = "" if folder else named.suffix.lower()
    if suffix == ".csv":
        yield from _from_table(named, group, folder_level)
        return
    if group not in BY_PLACE:
        raise UserError(f"{named}: no .csv, so no column {group!r}; group by folder, recording, or a .csv's")
    root: Place | None
    if folder:
        paths, root = list(files_below(named)), rooted(named)
        if not paths:
            raise UserError(f"{named}: no files in this folder")
    else:
        listed = _listed_paths(named) if suffix == ".txt" else None
        paths = [rooted(named)] if listed is None else listed
        root = _root(named, paths)
    for path in paths:
        yield Source(path, _folder_group(path, root, group, folder_level), None), str(named)


def _root(listing: Place, paths: Sequence[Place]) -> Place | None:
    """Return the folder above the groups: that of the table or list, else the files' common folder.

    Files of several servers have no common folder: None.
    """
    folder = rooted(listing).parent
    if all(is_below(path, folder) for path in paths):
        return folder
    return next(
        (above for above in paths[0].parents if all(is_below(path, above) for path in paths)),
        None,
    )


def _listed_paths(path: Place) -> list[Place] | None:
    """Return the paths of a list; None where the file is no text, and so a misnamed recording."""
    try:
        text = read_text(path)
    except ValueError:
        return None
    paths = [beside(path, line.strip()) for line in text.splitlines() if line.strip()]
    if not any(is_remote(listed) or os.path.lexists(str(listed)) for listed in paths):
        raise UserError(f"{path}: none of its {len(paths)} lines is a file; they are relative to the list")
    return paths


def _from_table(table: Place, group: str, folder_level: int) -> Iterator[tuple[Source, str]]:
    by_column = group not in BY_PLACE
    rows = read_table(table, ["path", group] if by_column else ["path"])
    for place, row in rows:
        if not row["path"]:
            raise UserError(f"{place}: no path")
    paths = [beside(table, row["path"]) for _, row in rows]
    root = _root(table, paths)
    for path, (place, row) in zip(paths, rows, strict=True):
        name = row[group] if by_column else _folder_group(path, root, group, folder_level)
        yield Source(path, name or None, _split(row, place)), place


def _split(row: Mapping[str, str], place: str) -> Split | None:
    value = row.get("split") or None
    for split in SPLITS:
        if value == split:
            return split
    if value is not None:
        raise UserError(f"{place}: split {value!r} is none of {', '.join(SPLITS)}")
    return None


def _folder_group(path: Place, root: Place | None, group: str, folder_level: int) -> str | None:
    if group != GROUP_BY_FOLDER or root is None:
        return None
    folders = parts_below(path, root)[:-1]
    return folders[folder_level - 1] if len(folders) >= folder_level else None


class _Decisions:
    """Splits that tables decide, so that neither a group nor a recording lands in two."""

    def __init__(self) -> None:
        self._of: dict[str | Place, tuple[Split, str]] = {}

    def note(self, source: Source, place: str) -> None:
        if source.split is None:
            return
        for key in (source.group, source.path):
            if key is None:
                continue
            split, earlier = self._of.setdefault(key, (source.split, place))
            if split != source.split:
                raise UserError(f"{place}: {key} is in {source.split}, but {earlier} puts it in {split}")

    def apply(self, source: Source) -> Source:
        decision = self._of.get(source.group or source.path) or self._of.get(source.path)
        return replace(source, split=decision[0]) if decision else source
