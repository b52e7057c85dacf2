"""The catalogue of a store: which recordings it has, which files were seen, and the splits of groups.

`catalogue.jsonl` is only ever appended to: a commit costs what is new, however large the store is. Every line
has a checksum. A last line that was not written to its end is cut off. A damaged line is dropped, and what it
described is found and converted again. The file is written anew when most of its lines are out of date.
"""

import gc
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.common.checked_lines import DamagedLine, checked_line, read_checked_line
from pipeline.common.files import atomic_path, read_json
from pipeline.errors import UserError

NAME = "catalogue.jsonl"
FORMER_NAME = "catalogue.json"
MOST_OUTDATED = 1_000
"""A file with more outdated lines than this, and than lines in use, is written anew."""

Stamp = tuple[int, ...]
"""Size, modification time (ns), change time (ns) and inode of a file."""


@dataclass(slots=True)
class Stored:
    """One converted recording: the position of its rows and the facts found in decoding.

    Attributes:
        offset, length: first row and number of rows.
        ordinal: position of its moments.
        audio_hash: SHA-256 of its samples or notes.
        facts: for the manifest.
        checksum, moments_checksum: XXH3 of its rows and of its moments; None from an earlier release.
    """

    offset: int
    length: int
    ordinal: int
    audio_hash: str
    facts: dict[str, Any]
    checksum: str | None = None
    moments_checksum: str | None = None


@dataclass(slots=True)
class Rejection:
    """Why a file was rejected, and the state of the file and of the readers at that time."""

    stamp: Stamp
    code: str
    reason: str
    readers: str


@dataclass
class Catalogue:
    """The contents of the store.

    Attributes:
        rows, recordings: number of rows and of moments in use.
        stored: by content key.
        seen: the stamp of each file and the hash of its bytes, by path.
        rejected: by label.
        splits: each group's split, by splitting rule.
    """

    rows: int = 0
    recordings: int = 0
    stored: dict[str, Stored] = field(default_factory=dict)
    seen: dict[str, tuple[Stamp, str]] = field(default_factory=dict)
    rejected: dict[str, Rejection] = field(default_factory=dict)
    splits: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, entry: dict[str, Any]) -> None:
        """Add one line of the file; raises `KeyError`, `TypeError` or `ValueError` for a strange one."""
        if "stored" in entry:
            key = sys.intern(entry.pop("stored"))
            entry["facts"] = {sys.intern(name): _shared(value) for name, value in entry["facts"].items()}
            stored = self.stored[key] = Stored(**entry)
            self.rows = max(self.rows, stored.offset + stored.length)
            self.recordings = max(self.recordings, stored.ordinal + 1)
        elif "seen" in entry:
            # The hash of a whole file is the key of its rows: one text serves for both.
            self.seen[entry["seen"]] = (tuple(entry["stamp"]), sys.intern(entry["hash"]))
            self.rejected.pop(entry["seen"], None)
        elif "rejected" in entry:
            label = entry.pop("rejected")
            self.rejected[label] = Rejection(**entry | {"stamp": tuple(entry["stamp"])})
        elif "rule" in entry:
            self.splits.setdefault(entry["rule"], {}).update(entry["splits"])
        else:
            raise KeyError("stored")

    def entries(self) -> list[dict[str, Any]]:
        """Return the lines that `add` makes this catalogue of."""
        return [
            *({"stored": key, **asdict(entry)} for key, entry in self.stored.items()),
            *({"seen": path, "stamp": stamp, "hash": found} for path, (stamp, found) in self.seen.items()),
            *({"rejected": label, **asdict(rejection)} for label, rejection in self.rejected.items()),
            *({"rule": rule, "splits": splits} for rule, splits in self.splits.items()),
        ]

    @property
    def lines(self) -> int:
        """The number of `entries`."""
        return len(self.stored) + len(self.seen) + len(self.rejected) + len(self.splits)


@dataclass
class CatalogueFile:
    """The file of a catalogue, as it was read.

    Attributes:
        folder: the store.
        catalogue: its content.
        lines: number of lines in the file.
        end: position behind the last whole line.
        damaged: numbers of the lines that were dropped, from 1.
    """

    folder: Path
    catalogue: Catalogue = field(default_factory=Catalogue)
    lines: int = 0
    end: int = 0
    damaged: list[int] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The present file."""
        return self.folder / NAME

    @property
    def outdated(self) -> bool:
        """Whether the file is to be written anew rather than appended to."""
        former = (self.folder / FORMER_NAME).exists() or bool(self.damaged)
        return former or self.lines > 2 * self.catalogue.lines + MOST_OUTDATED

    def append(self, entries: list[dict[str, Any]]) -> None:
        """Write further lines, or the whole catalogue, which has them already, where it is outdated."""
        if self.outdated:
            self._rewrite()
            return
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.truncate(self.end)
            file.seek(self.end)
            for entry in entries:
                file.write(checked_line(entry).encode())
            file.flush()
            os.fsync(file.fileno())
            self.end = file.tell()
        self.lines += len(entries)

    def _rewrite(self) -> None:
        with atomic_path(self.path) as temporary, temporary.open("wb") as file:
            for entry in self.catalogue.entries():
                file.write(checked_line(entry).encode())
            self.end = file.tell()
        self.lines, self.damaged = self.catalogue.lines, []
        (self.folder / FORMER_NAME).unlink(missing_ok=True)


def read_catalogue(folder: Path) -> CatalogueFile:
    """Read the catalogue of a store; an absent one is empty.

    Raises:
        UserError: the file cannot be read, or another version wrote it.
    """
    found = CatalogueFile(folder)
    if not found.path.exists():
        if (folder / FORMER_NAME).exists():
            found.catalogue = _former(folder / FORMER_NAME)
        return found
    collecting = gc.isenabled()
    gc.disable()  # it would examine all objects again and again while millions are added
    try:
        with found.path.open("rb") as file:
            for line in file:
                _take(found, line)
    except OSError as problem:
        raise UserError(f"{found.path}: the catalogue cannot be read ({problem.strerror})") from None
    finally:
        if collecting:
            gc.enable()
    return found


def _shared(value: Any) -> Any:
    """Return a text that is kept once in memory, however many recordings have it."""
    return sys.intern(value) if type(value) is str else value


def _take(found: CatalogueFile, line: bytes) -> None:
    """Add one line of the file to what was found."""
    found.lines += 1
    try:
        entry = read_checked_line(line)
    except DamagedLine:
        if line.endswith(b"\n"):
            found.damaged.append(found.lines)
            found.end += len(line)
        return
    if not line.endswith(b"\n"):  # whole but for its end: written again behind the others
        found.damaged.append(found.lines)
    found.end += len(line)
    try:
        found.catalogue.add(entry)
    except (TypeError, KeyError, ValueError, AttributeError):
        raise UserError(_other_version(found.path)) from None


def _former(path: Path) -> Catalogue:
    """Return the catalogue of an earlier release, one JSON object; it knows no change times of files."""
    content = read_json(path, "catalogue of prepared recordings")
    try:
        catalogue = Catalogue(rows=content["rows"], splits=content["splits"])
        catalogue.stored = {key: Stored(**entry) for key, entry in content["stored"].items()}
        catalogue.seen = {
            name: ((size, time), found) for name, (size, time, found) in content["seen"].items()
        }
        catalogue.recordings = len(catalogue.stored)
    except (TypeError, AttributeError, KeyError, ValueError):
        raise UserError(_other_version(path)) from None
    return catalogue


def _other_version(path: Path) -> str:
    return f"{path}: made by another version; delete its folder and prepare again"
