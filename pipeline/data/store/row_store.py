"""Prepared rows of all recordings, which are only ever appended to, with a catalogue of their positions.

A recording that was converted once is never converted again: it is found by the hash of its bytes. New rows
go behind the last ones, so data sets that refer to older rows stay valid. The catalogue is written after the
rows; what a killed run left behind the last catalogued row is cut off before the next append.

    rows.bin        every recording's rows, one after the other
    rows-*.bin      the rows behind those, where `preparation.folders` names several disks
    moments.bin     per recording: sum, sum of squares, minimum and maximum of its rows, float64 (4, width)
    catalogue.jsonl the recordings, the positions of their rows and the checksums of rows and moments
"""

import io
import os
import sys
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.common.checked_lines import checksum
from pipeline.common.hashing import digest_json
from pipeline.data.store.catalogue import Rejection, Stamp, Stored, read_catalogue
from pipeline.data.store.pieces import bytes_there, pieces_within, read_bytes
from pipeline.data.store.row_writer import RowWriter
from pipeline.data.store.rows import WrittenRows, copy_bytes, no_moments, write_rows
from pipeline.errors import UserError


class RowStore:
    """The rows of one kind of input; one writer at a time (the caller holds the lock).

    Args:
        folder: of the catalogue and of the rows.
        width, dtype: of a row.
        row_folders: where new rows are written; empty is ``folder``.
    """

    def __init__(
        self, folder: Path, width: int, dtype: np.dtype[Any], row_folders: Sequence[Path] = ()
    ) -> None:
        self.folder = folder
        self.width = width
        self.dtype = dtype
        self.row_folders = list(row_folders) or [folder]
        self._writer = RowWriter(folder, row_folders)
        self._file = read_catalogue(folder)
        self.catalogue = self._file.catalogue
        self._new: list[dict[str, Any]] = []
        self._written_splits = deepcopy(self.catalogue.splits)
        self._require_rows()
        self._require_moments()
        if self._file.damaged:
            self._keep_unnamed_rows()

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.width * self.dtype.itemsize

    def append(self, key: str, audio_hash: str, rows: IO[bytes], facts: dict[str, Any]) -> Stored:
        """Write the rows of an open file behind all others and catalogue them."""
        written = self._writer.write(
            self.catalogue.rows * self.row_bytes,
            lambda target: write_rows(rows, target, self.width, self.dtype),
        )
        return self.adopt(key, audio_hash, written, facts)

    def append_bytes(self, source: IO[bytes], begin: int, size: int) -> None:
        """Copy rows of an open file behind all others; `adopt` then catalogues each of their recordings."""
        self._writer.write(
            self.catalogue.rows * self.row_bytes, lambda target: copy_bytes(source, begin, size, target)
        )

    def adopt(self, key: str, audio_hash: str, written: WrittenRows, facts: dict[str, Any]) -> Stored:
        """Catalogue a recording whose rows were appended behind those of the last one."""
        catalogue = self.catalogue
        moments = np.ascontiguousarray(written.moments, np.float64)
        path = self.folder / "moments.bin"
        with path.open("r+b" if path.exists() else "w+b") as target:
            target.truncate(catalogue.recordings * self._moments_bytes)
            target.seek(catalogue.recordings * self._moments_bytes)
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
        self._writer.commit()
        if (self.folder / "moments.bin").exists():
            with (self.folder / "moments.bin").open("rb") as written:
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
        begin, end = (row * self.row_bytes for row in (stored.offset, stored.offset + stored.length))
        rows = io.BytesIO(read_bytes(self.folder, begin, end))
        written = write_rows(rows, None, self.width, self.dtype)
        if written.checksum != stored.checksum:
            raise UserError(f"{self.folder / 'rows.bin'}: damaged; delete {self.folder} and prepare again")
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

    def _keep_unnamed_rows(self) -> None:
        """Append behind all rows that are there: a data set may refer to those whose line is damaged."""
        catalogue = self.catalogue
        catalogue.rows = max(catalogue.rows, bytes_there(self.folder) // self.row_bytes)
        catalogue.recordings = max(catalogue.recordings, self._moments_there // self._moments_bytes)
        lines = ", ".join(map(str, self._file.damaged[:3]))
        what = "what they describe is prepared again"
        print(f"wavecast: {self._file.path}: damaged lines ({lines}): {what}", file=sys.stderr)

    def _require_rows(self) -> None:
        """Raise `UserError` for fewer rows than the catalogue states: what is missing would be filled up with
        silence."""
        try:
            pieces_within(self.folder, self.catalogue.rows * self.row_bytes)
        except ValueError:
            raise self._shorter("rows.bin") from None

    def _require_moments(self) -> None:
        if self._moments_there < self.catalogue.recordings * self._moments_bytes:
            raise self._shorter("moments.bin")

    @property
    def _moments_there(self) -> int:
        path = self.folder / "moments.bin"
        return path.stat().st_size if path.exists() else 0

    def _shorter(self, name: str) -> UserError:
        what = f"shorter than its catalogue; delete {self.folder} and prepare again"
        return UserError(f"{self.folder / name}: {what}")


def settings_key(settings: dict[str, Any]) -> str:
    """Return eight hexadecimal digits that name these settings."""
    return digest_json(settings)[:8]
