"""Tables with commas, tabs, semicolons or bars, with names of columns or without, and lists of files."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.corpora.manifests import columns
from pipeline.data.corpora.manifests.entry import Entry, Format, sources_of
from pipeline.data.corpora.manifests.places import ADDRESS, Places
from pipeline.data.corpora.manifests.texts import head_of, lines_of
from pipeline.data.corpora.source import Source
from pipeline.errors import UserError

SUFFIXES = (".csv", ".tsv", ".txt", ".psv", ".lst", ".list", ".tab", ".m3u", ".m3u8", ".scp", "")
SEPARATORS = "\t|;,"
TRIED = 20
_SPEAKER = re.compile(r"[\w.-]{1,32}")
csv.field_size_limit(1 << 24)


@dataclass(frozen=True)
class Shape:
    """How a table is written: what separates its fields, and the names of its columns."""

    separator: str
    names: tuple[str, ...]


def read_file(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return the recordings of a table whose first line names a column of files; None for other texts."""
    shape = shape_of(path)
    if shape is None or columns.named(shape.names, columns.FILE) is None:
        return None
    return sources_of(path, table_entries(path, shape, speaker_column), Places(path.parent))


def read_list(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return the recordings of a list or table without names; None where no early line is a file."""
    head = head_of(path) if path.name.lower().removesuffix(".gz").endswith(SUFFIXES[:-1]) else None
    lines = [line for line in (head or "").splitlines() if line.strip() and not line.startswith("#")][:TRIED]
    places = Places(path.parent)
    for separator in ("\n", *SEPARATORS):
        files = [line.split(separator)[0].strip() for line in lines if separator == "\n" or separator in line]
        if any(file and _stays_below(file) and (ADDRESS.match(file) or places.find(file)) for file in files):
            return sources_of(path, _list_entries(path, separator), places)
    return None


def _stays_below(file: str) -> bool:
    return len(file) < 4096 and file not in (".", "..")


def shape_of(path: Path) -> Shape | None:
    """Return how a table is written, by its first line; None for what is no text."""
    if not path.name.lower().removesuffix(".gz").endswith(SUFFIXES[:-1]):
        return None
    lines = (head_of(path) or "").splitlines()
    if not lines:
        return None
    separator = max(SEPARATORS, key=lines[0].count) if any(map(lines[0].count, SEPARATORS)) else ","
    names = next(_rows(iter(lines[:1]), separator), [])
    return Shape(separator, tuple(name.strip() for name in names))


def table_entries(path: Path, shape: Shape, speaker_column: str | None = None) -> Iterator[Entry]:
    """Yield the entries of a table with names.

    Raises:
        UserError: ``speaker_column`` is not there.
    """
    names = shape.names
    if speaker_column is not None and speaker_column not in names:
        raise UserError(f"{path}: no column {speaker_column!r}; the first line names: {', '.join(names)}")
    file = str(columns.named(names, columns.FILE))
    speaker = speaker_column or columns.named(names, columns.SPEAKER)
    split, name = columns.named(names, columns.SPLIT), columns.named(names, columns.NAME)
    stop = columns.named(names, ["stop"])  # SpeechBrain's, which counts samples
    start, end = columns.named(names, columns.START), columns.named(names, columns.END)
    duration, published = columns.named(names, columns.DURATION), columns.published_split(path)
    lines = lines_of(path)
    next(lines)
    for number, values in _numbered(lines, shape.separator):
        row = dict(zip(names, values, strict=False))
        written = row.get(split or "", "").strip()
        reason = None
        if written and columns.split_of(written) is None and split and split.lower() == "split":
            reason = f"split {written[:40]!r} is none of train, valid and test"
        yield Entry(
            f"line {number}",
            row.get(file),
            row.get(speaker or ""),
            columns.split_of(written) or published,
            row.get(name or ""),
            row.get(start or ""),
            row.get(duration or "") if stop is None else None,
            row.get(end or "") if stop is None else row.get(stop),
            in_samples=stop is not None,
            reason=reason,
        )


def _list_entries(path: Path, separator: str) -> Iterator[Entry]:
    rows = [
        (number, line.split(separator) if separator != "\n" else [line])
        for number, line in lines_of(path)
        if not line.startswith("#")
    ]
    speaker, split = _speaker_field([fields for _, fields in rows]), columns.published_split(path)
    for number, fields in rows:
        whose = fields[speaker].strip() if speaker is not None and speaker < len(fields) else None
        yield Entry(f"line {number}", fields[0], whose, split)


def _speaker_field(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the field that repeats like a speaker's name: short, one word, each used twice on average."""
    for field in range(1, min(map(len, rows), default=0)):
        values = [row[field].strip() for row in rows]
        if all(_SPEAKER.fullmatch(value) for value in values) and 2 * len(set(values)) <= len(values):
            return field
    return None


def _rows(lines: Iterator[str], separator: str) -> Iterator[list[str]]:
    # Bars and tabs separate texts in which a quotation mark is a mark.
    if separator in ",;":
        return csv.reader(lines, delimiter=separator)
    return csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)


def _numbered(lines: Iterator[tuple[int, str]], separator: str) -> Iterator[tuple[int, list[str]]]:
    current = 0

    def texts() -> Iterator[str]:
        nonlocal current
        for number, line in lines:
            current = number
            yield line.replace("\0", "") + "\n"

    rows = _rows(texts(), separator)
    while True:
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error:
            fields = []
        yield current, fields


TABLES = Format("table with a column of files", read_file)
LISTS = Format("list or table of files without names", read_list)
