"""Prepared rows of all recordings in one append-only file, with a catalogue of their positions.

A recording that was converted once is never converted again: it is found by the hash of its bytes. New rows
go behind the last ones, so data sets that refer to older rows stay valid. The catalogue is written after the
rows; what a killed run left behind the last catalogued row is cut off before the next append.

    rows.bin        every recording's rows, one after the other
    moments.bin     per recording: sum, sum of squares, minimum and maximum of its rows, float64 (4, width)
    catalogue.jsonl the recordings, the positions of their rows and the checksums of rows and moments
"""

import io
import os
import sys
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.common.checked_lines import checksum
from pipeline.common.hashing import digest_json
from pipeline.data.store.catalogue import Rejection, Stamp, Stored, read_catalogue
from pipeline.data.store.rows import WrittenRows, copy_bytes, no_moments, write_rows
from pipeline.errors import UserError


class RowStore:
    """The rows of one kind of input; one writer at a time (the caller holds the lock)."""

    def __init__(self, folder: Path, width: int, dtype: np.dtype[Any]) -> None:
        self.folder = folder
        self.width = width
        self.dtype = dtype
        self._file = read_catalogue(folder)
        self.catalogue = self._file.catalogue
        self._new: list[dict[str, Any]] = []
        self._written_splits = deepcopy(self.catalogue.splits)
        self._require("rows.bin", self.catalogue.rows * self.row_bytes)
        self._require("moments.bin", self.catalogue.recordings * self._moments_bytes)
        if self._file.damaged:
            self._keep_unnamed_rows()

    @property
    def rows_path(self) -> Path:
        """The file with all rows."""
        return self.folder / "rows.bin"

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.width * self.dtype.itemsize

    def append(self, key: str, audio_hash: str, rows: IO[bytes], facts: dict[str, Any]) -> Stored:
        """Write the rows of an open file behind all others and catalogue them."""
        with self._open_at("rows.bin", self.catalogue.rows * self.row_bytes) as target:
            written = write_rows(rows, target, self.width, self.dtype)
        return self.adopt(key, audio_hash, written, facts)

    def append_bytes(self, source: IO[bytes], begin: int, size: int) -> None:
        """Copy rows of an open file behind all others; `adopt` then catalogues each of their recordings."""
        with self._open_at("rows.bin", self.catalogue.rows * self.row_bytes) as target:
            copy_bytes(source, begin, size, target)

    def adopt(self, key: str, audio_hash: str, written: WrittenRows, facts: dict[str, Any]) -> Stored:
        """Catalogue a recording whose rows were appended behind those of the last one."""
        catalogue = self.catalogue
        moments = np.ascontiguousarray(written.moments, np.float64)
        with self._open_at("moments.bin", catalogue.recordings * self._moments_bytes) as target:
            target.write(moments.data)
        sums = written.checksum, checksum(moments.data)
        entry = Stored(catalogue.rows, written.length, catalogue.recordings, audio_hash, facts, *sums)
        self._add({"stored": key, **asdict(entry)})
        return self.catalogue.stored[key]

    def remember(self, path: str, stamp: Stamp, content_hash: str) -> None:
        """Record a file's stamp and content hash, so that it is not read again while it is unchanged."""
        if self.catalogue.seen.get(path) != (stamp, content_hash):
            self._add({"seen": path, "stamp": stamp, "hash": content_hash})

    def reject(self, label: str, rejection: Rejection) -> None:
        """Record why a source was rejected, so that it is not tried again while it is unchanged."""
        if self.catalogue.rejected.get(label) != rejection:
            self._add({"rejected": label, **asdict(rejection)})

    def commit(self) -> None:
        """Make everything appended so far permanent."""
        self._add_splits()
        if not self._new:
            return
        for name in ("rows.bin", "moments.bin"):
            if (self.folder / name).exists():
                with (self.folder / name).open("rb") as written:
                    os.fsync(written.fileno())
        self._file.append(self._new)
        self._new = []

    def moments(self, recordings: list[Stored]) -> tuple[np.ndarray, ...]:
        """Return mean, standard deviation, minimum and maximum (width,) of the rows of ``recordings``.

        Raises:
            UserError: rows are damaged, so that damaged moments cannot be computed again.
        """
        table = np.memmap(self.folder / "moments.bin", np.float64, "r+").reshape(-1, 4, self.width)
        for stored in recordings:
            if stored.moments_checksum not in (None, checksum(table[stored.ordinal].data)):
                table[stored.ordinal] = self._measured(stored)
        chosen = table[[recording.ordinal for recording in recordings]]
        count = sum(recording.length for recording in recordings)
        mean, square = chosen[:, :2].sum(0) / count
        return mean, np.sqrt(np.maximum(square - mean**2, 0)), chosen[:, 2].min(0), chosen[:, 3].max(0)

    def _measured(self, stored: Stored) -> np.ndarray:
        """Return the moments of a recording, from its rows."""
        with self.rows_path.open("rb") as file:
            file.seek(stored.offset * self.row_bytes)
            rows = io.BytesIO(file.read(stored.length * self.row_bytes))
        written = write_rows(rows, None, self.width, self.dtype)
        if written.checksum != stored.checksum:
            raise UserError(f"{self.rows_path}: damaged; delete {self.folder} and prepare again")
        return written.moments

    @property
    def _moments_bytes(self) -> int:
        return no_moments(self.width).nbytes

    def _add_splits(self) -> None:
        """Add what was changed in the catalogue's splits since the last commit."""
        for rule, splits in self.catalogue.splits.items():
            written = self._written_splits.setdefault(rule, {})
            if new := dict(splits.items() - written.items()):
                self._new.append({"rule": rule, "splits": dict(sorted(new.items()))})
                written.update(new)

    def _add(self, entry: dict[str, Any]) -> None:
        self._new.append(entry)
        self.catalogue.add(dict(entry))

    def _open_at(self, name: str, position: int) -> IO[bytes]:
        path = self.folder / name
        target = path.open("r+b" if path.exists() else "w+b")
        target.truncate(position)
        target.seek(position)
        return target

    def _keep_unnamed_rows(self) -> None:
        """Append behind all rows that are there: a data set may refer to those whose line is damaged."""
        catalogue = self.catalogue
        for name, size in (("rows", self.row_bytes), ("recordings", self._moments_bytes)):
            path = self.folder / ("rows.bin" if name == "rows" else "moments.bin")
            there = path.stat().st_size // size if path.exists() else 0
            setattr(catalogue, name, max(getattr(catalogue, name), there))
        lines = ", ".join(map(str, self._file.damaged[:3]))
        what = "what they describe is prepared again"
        print(f"wavecast: {self._file.path}: damaged lines ({lines}): {what}", file=sys.stderr)

    def _require(self, name: str, size: int) -> None:
        """Raise `UserError` for a file shorter than its catalogue states: what is missing would be filled
        up with silence."""
        path = self.folder / name
        if (path.stat().st_size if path.exists() else 0) < size:
            raise UserError(f"{path}: shorter than its catalogue; delete {self.folder} and prepare again")


def settings_key(settings: dict[str, Any]) -> str:
    """Return eight hexadecimal digits that name these settings."""
    return digest_json(settings)[:8]
