"""Prepared rows of all recordings in one append-only file, with a catalogue of their positions.

A recording that was converted once is never converted again: it is found by the hash of its bytes. New rows
go behind the last ones, so data sets that refer to older rows stay valid. The catalogue is written after the
rows; what a killed run left behind the last catalogued row is cut off before the next append.

    rows.bin       every recording's rows, one after the other
    moments.bin    per recording: sum, sum of squares, minimum and maximum of its rows, float64 (4, width)
    catalogue.json the recordings and the positions of their rows
"""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.common.blocks import read_blocks
from pipeline.common.files import read_json, write_json
from pipeline.common.hashing import digest_json
from pipeline.errors import UserError


@dataclass
class Stored:
    """One converted recording: the position of its rows and the facts found in decoding."""

    offset: int
    length: int
    ordinal: int
    audio_hash: str
    facts: dict[str, Any]


@dataclass
class Catalogue:
    """The contents of the store.

    ``stored`` is by content hash; ``seen`` holds a file's size, time and hash by path, so that an
    unchanged file is not read again; ``splits`` holds each group's split, by splitting rule.
    """

    rows: int = 0
    stored: dict[str, Stored] = field(default_factory=dict)
    seen: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    splits: dict[str, dict[str, str]] = field(default_factory=dict)


class RowStore:
    """The rows of one kind of input; one writer at a time (the caller holds the lock)."""

    def __init__(self, folder: Path, width: int, dtype: np.dtype[Any]) -> None:
        self.folder = folder
        self.width = width
        self.dtype = dtype
        self.catalogue = self._read_catalogue()
        self.changed = False

    @property
    def rows_path(self) -> Path:
        """The file with all rows."""
        return self.folder / "rows.bin"

    def append(self, content_hash: str, audio_hash: str, rows: IO[bytes], facts: dict[str, Any]) -> Stored:
        """Copy a recording's rows, read from the start of ``rows``, behind the last and catalogue them."""
        stored = self.catalogue.stored
        row_bytes = self.width * self.dtype.itemsize
        moments = self._no_moments()
        length = 0
        with self._open_at(self.rows_path, self.catalogue.rows * row_bytes) as target:
            for block in read_blocks(rows, self.width, self.dtype):
                target.write(block.data)
                values = block.astype(np.float64)
                moments[2] = np.minimum(moments[2], values.min(0))
                moments[3] = np.maximum(moments[3], values.max(0))
                moments[:2] += (values.sum(0), np.square(values, out=values).sum(0))
                length += len(block)
        with self._open_at(self.folder / "moments.bin", len(stored) * moments.nbytes) as target:
            target.write(moments.data)
        entry = Stored(self.catalogue.rows, length, len(stored), audio_hash, facts)
        stored[content_hash] = entry
        self.catalogue.rows += length
        self.changed = True
        return entry

    def remember(self, path: str, size_time_hash: tuple[int, int, str]) -> None:
        """Record a file's size, modification time (ns) and content hash, so that it is not read again."""
        if tuple(self.catalogue.seen.get(path, ())) != size_time_hash:
            self.catalogue.seen[path] = size_time_hash
            self.changed = True

    def commit(self) -> None:
        """Make everything appended so far permanent."""
        if not self.changed:
            return
        for name in ("rows.bin", "moments.bin"):
            if (self.folder / name).exists():
                with (self.folder / name).open("rb") as written:
                    os.fsync(written.fileno())
        write_json(self.folder / "catalogue.json", asdict(self.catalogue))
        self.changed = False

    def moments(self, recordings: list[Stored]) -> tuple[np.ndarray, ...]:
        """Return mean, standard deviation, minimum and maximum (width,) of the rows of ``recordings``."""
        table = np.memmap(self.folder / "moments.bin", np.float64, "r").reshape(-1, 4, self.width)
        chosen = table[[recording.ordinal for recording in recordings]]
        count = sum(recording.length for recording in recordings)
        mean, square = chosen[:, :2].sum(0) / count
        return mean, np.sqrt(np.maximum(square - mean**2, 0)), chosen[:, 2].min(0), chosen[:, 3].max(0)

    def _no_moments(self) -> np.ndarray:
        """Return the moments of no rows: sum, sum of squares, minimum, maximum, each (width,)."""
        return np.repeat([[0.0], [0.0], [np.inf], [-np.inf]], self.width, 1)

    def _open_at(self, path: Path, position: int) -> IO[bytes]:
        target = path.open("r+b" if path.exists() else "w+b")
        target.truncate(position)
        target.seek(position)
        return target

    def _read_catalogue(self) -> Catalogue:
        path = self.folder / "catalogue.json"
        if not path.exists():
            return Catalogue()
        found = read_json(path, "catalogue of prepared recordings")
        try:
            stored = {key: Stored(**entry) for key, entry in found.pop("stored").items()}
            catalogue = Catalogue(stored=stored, **found)
        except (TypeError, AttributeError, KeyError):
            raise UserError(f"{path}: made by another version; delete its folder and prepare again") from None
        self._require("rows.bin", catalogue.rows * self.width * self.dtype.itemsize)
        self._require("moments.bin", len(stored) * self._no_moments().nbytes)
        return catalogue

    def _require(self, name: str, size: int) -> None:
        """Raise `UserError` for a file shorter than its catalogue states: what is missing would be filled
        up with silence."""
        path = self.folder / name
        if (path.stat().st_size if path.exists() else 0) < size:
            raise UserError(f"{path}: shorter than its catalogue; delete {self.folder} and prepare again")


def settings_key(settings: dict[str, Any]) -> str:
    """Return eight hexadecimal digits that name these settings."""
    return digest_json(settings)[:8]
