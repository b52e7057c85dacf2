"""Tables and lists that name recordings: .csv with a column `path`, .txt with a path on each line."""

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.common.files import absolute
from pipeline.common.tables import read_table, read_text
from pipeline.config.types import SPLITS, Split
from pipeline.data.corpora.source import Source
from pipeline.data.corpora.split_names import split_named
from pipeline.errors import UserError


def listed_paths(path: Path) -> list[Path] | None:
    """Return the paths of a list, relative to it; None where the file is no text, and so a recording.

    Raises:
        UserError: the list cannot be read, or none of its lines is a file.
    """
    try:
        text = read_text(path)
    except ValueError:
        return None
    paths = [absolute(path.parent / line.strip()) for line in text.splitlines() if line.strip()]
    if not any(os.path.lexists(listed) for listed in paths):
        raise UserError(f"{path}: none of its {len(paths)} lines is a file; they are relative to the list")
    return paths


def read_sources(table: Path, column: str | None) -> list[tuple[Source, str]]:
    """Return the sources of a table and where each stands, for messages.

    Args:
        table: CSV with a column `path`, relative to it, and perhaps `split`.
        column: the column that names the group; None for no group.

    Raises:
        UserError: the table cannot be read, or a row lacks a path or has an unknown split.
    """
    rows = read_table(table, ["path", column] if column else ["path"])
    for place, row in rows:
        if not row["path"]:
            raise UserError(f"{place}: no path")
    return [
        (
            Source(
                absolute(table.parent / row["path"]),
                (row[column] if column else "") or None,
                _split(row, place),
            ),
            place,
        )
        for place, row in rows
    ]


def _split(row: Mapping[str, str], place: str) -> Split | None:
    value = row.get("split") or None
    if value is None:
        return None
    if split := split_named(value):
        return split
    raise UserError(f"{place}: split {value!r} is none of {', '.join(SPLITS)}, nor another usual name of one")
