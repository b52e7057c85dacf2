"""Finished shards into the store, in the order of the sources, and the records of the manifest."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from pipeline.common.places import Place, place_named
from pipeline.data.corpora.source import Source
from pipeline.data.manifest import Part, Recording
from pipeline.data.preparing.conversion import convert
from pipeline.data.preparing.planning import CURABLE, Stretch, known_hash, rejection_of
from pipeline.data.preparing.shard import reader_versions, written_rows
from pipeline.data.preparing.shard_files import ShardFiles
from pipeline.data.store.catalogue import Rejection, Stamp, Stored
from pipeline.data.store.row_store import RowStore
from pipeline.errors import RecordingRejected
from pipeline.features.representation import SoundRepresentation


@dataclass
class Merge:
    """The state of a preparation that merges shards into its store.

    Attributes:
        store: receives the rows.
        sound: what its rows are.
        files: the place of the shards.
        merged: names of shards that the store has, but that are not yet removed.
    """

    store: RowStore
    sound: SoundRepresentation
    files: ShardFiles
    merged: list[str] = field(default_factory=list)
    _first_with: dict[str, str] = field(default_factory=dict)

    def records(self, stretch: Stretch) -> list[Recording]:
        """Merge the shard of a stretch, and return the records of its sources."""
        entries: dict[int, dict[str, Any]] = {}
        if stretch.shard:
            description = self.files.description(stretch.shard.name)
            assert description is not None
            entries = dict(zip(stretch.positions, description["items"], strict=True))
            self._append_rows(stretch.shard.name, entries)
            self.merged.append(stretch.shard.name)
        return [
            self._record(source, stamp, entries.get(position))
            for position, (source, stamp) in enumerate(zip(stretch.sources, stretch.stamps, strict=True))
        ]

    def commit(self) -> None:
        """Make what was merged permanent, then remove the shards."""
        self.store.commit()
        self.files.remove(self.merged)
        self.merged = []

    def _append_rows(self, shard: str, entries: dict[int, dict[str, Any]]) -> None:
        """Append the rows that the store lacks, neighbours in one piece, and catalogue them."""
        first = {entry["key"]: entry for entry in reversed(entries.values()) if "length" in entry}
        new = [entry for key, entry in reversed(first.items()) if key not in self.store.catalogue.stored]
        if not new:
            return
        with self.files.open_rows(shard) as rows:
            for run in _neighbours(new, self.store.row_bytes):
                self._append_run(rows, run)

    def _append_run(self, rows: IO[bytes], run: list[dict[str, Any]]) -> None:
        size = sum(entry["length"] for entry in run) * self.store.row_bytes
        self.store.append_bytes(rows, run[0]["begin"], size)
        for entry in run:
            self.store.adopt(entry["key"], entry["audio_hash"], written_rows(entry), entry["facts"])

    def _record(self, source: Source, stamp: Stamp, entry: dict[str, Any] | None) -> Recording:
        """Return the record of a source, from the shard or from what the store has."""
        if entry is None:
            rejection = rejection_of(source, stamp, self.store.catalogue)
            if rejection is not None:
                return rejected(source, rejection.reason)
            found = known_hash(source, stamp, self.store.catalogue)
            assert found is not None
        elif "reason" in entry:
            if entry["code"] not in CURABLE and stamp:
                readers = reader_versions()
                self.store.reject(source.label, Rejection(stamp, entry["code"], entry["reason"], readers))
            return rejected(source, entry["reason"])
        else:
            found = entry["hash"]
        try:
            stored = self._stored(source, found)
        except RecordingRejected as problem:
            return rejected(source, str(problem))
        if stamp:
            self.store.remember(str(source.path), stamp, found)
        return self._accepted(source, found, stored)

    def _stored(self, source: Source, found: str) -> Stored:
        """Return the rows of a source; what the worker took for stored but is not, is converted here."""
        key = source.key(found)
        if key not in self.store.catalogue.stored:
            converted = convert(source, self.sound, lambda key: False)
            assert converted.rows is not None
            with converted.rows as rows:
                self.store.append(key, converted.audio_hash, rows, converted.facts)
        return self.store.catalogue.stored[key]

    def _accepted(self, source: Source, found: str, stored: Stored) -> Recording:
        first = self._first_with.setdefault(stored.audio_hash, source.label)
        return Recording(
            path=recording_path(source),
            content_hash=source.key(found),
            audio_hash=stored.audio_hash,
            group=source.group or f"recording-{stored.audio_hash[:16]}",
            split=source.split,
            part=part_of(source),
            refused=None if first == source.label else f"the same sound as {first}",
            **stored.facts,
        )


def rejected(source: Source, reason: str) -> Recording:
    """Return the record of a source that cannot be used."""
    return Recording(path=recording_path(source), part=part_of(source), refused=reason)


def recording_path(source: Source) -> Place:
    """Return what the manifest calls a source: its file, with the name of the part behind it."""
    return source.path if source.whole else place_named(source.label)


def part_of(source: Source) -> Part | None:
    """Return which part of its file a source is, None for a whole file."""
    if source.whole:
        return None
    place = {"start_seconds": source.start_seconds, "seconds": source.seconds}
    return Part(file=source.path, row=source.row, name=source.name, **place)


def _neighbours(entries: list[dict[str, Any]], row_bytes: int) -> Iterator[list[dict[str, Any]]]:
    """Yield runs of entries whose rows lie one after the other."""
    run: list[dict[str, Any]] = []
    end = 0
    for entry in entries:
        if run and entry["begin"] != end:
            yield run
            run = []
        run.append(entry)
        end = entry["begin"] + entry["length"] * row_bytes
    if run:
        yield run
