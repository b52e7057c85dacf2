"""Tables (CSV) and other small texts that a user wrote, with errors that name the file and the line."""

import codecs
import csv
import io
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.common.places import Place, local_copy
from pipeline.errors import RecordingRejected, UserError

HEAD_BYTES = 1 << 12
SHOWN_OF_HEADER = 300


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        place: where it stands, for messages: `FILE, line 3`.
        fields: its text by column; empty where the row is too short.
    """

    place: str
    fields: dict[str, str]


def read_text(path: Place) -> str:
    """Return the content of a text file in UTF-8, with or without a byte order mark.

    Raises:
        UserError: the file cannot be read.
        ValueError: it is not such a text; raised before all of it is read.
    """
    try:
        with local_copy(path) as local:
            with local.open("rb") as file:
                head = file.read(HEAD_BYTES)
            if "\0" in codecs.getincrementaldecoder("utf-8")().decode(head):
                raise ValueError("it holds zero bytes")
            return local.read_text(encoding="utf-8-sig")
    except RecordingRejected as problem:
        raise UserError(f"{path}: {problem}") from None
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as problem:
        raise UserError(f"{path}: cannot be read ({problem.strerror})") from None


def read_table(path: Place, columns: Sequence[str], empty_allowed: bool = False) -> list[Row]:
    """Return the rows of a CSV table in UTF-8 whose first line names the columns.

    Args:
        path: the table.
        columns: names of columns that must be present; others may be.
        empty_allowed: whether a table without rows is valid.

    Raises:
        UserError: the table cannot be read, lacks one of ``columns``, or is empty where it may not be.
    """
    try:
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""), restval="", strict=True)
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        rows = [Row(f"{path}, line {reader.line_num}", fields) for fields in reader]
    except (ValueError, csv.Error) as problem:
        raise UserError(f"{path}: not a table in UTF-8 ({problem})") from None
    for column in columns:
        if column not in reader.fieldnames:
            found = (
                textwrap.shorten(", ".join(reader.fieldnames), SHOWN_OF_HEADER, placeholder=" ...") or "none"
            )
            raise UserError(f"{path}: no column {column!r}; the first line names: {found}")
    if not rows and not empty_allowed:
        raise UserError(f"{path}: no rows below the header")
    return rows
