"""Preparation of piano rolls: from files of notes to rows of the store and records of the manifest.

A MIDI file is one recording, split as any other. Each sequence of a set is a recording by itself, named
`FILE#train-012` and in the split that the set gives it, so that figures compare with others' on that set.
"""

import errno
import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.common.places import Place, local_copy
from pipeline.config.types import SPLITS
from pipeline.data.corpora.source import Source
from pipeline.data.manifest import Recording, content_hash
from pipeline.data.preparing.planning import known_hash, stamp_of
from pipeline.data.store.catalogue import Stored
from pipeline.data.store.row_store import RowStore
from pipeline.errors import RecordingRejected
from pipeline.features.representation import NoteRepresentation
from pipeline.music.piano_roll import NoteSequence, kind_of, read_sequences


def music_records(
    store: RowStore, sources: Iterable[Source], notes: NoteRepresentation
) -> Iterator[list[Recording]]:
    """For each source, append what the store lacks and yield the records of its sequences, or the record of
    its rejection.

    A MIDI file that the store has is not parsed again. Records of a set have their split, others none yet.
    The same notes are used once, but a set keeps what it has twice in one split. What it has in two splits it
    keeps in the one that is held out longest: its test split stays whole, and nothing in it is trained on.
    """
    first_with: dict[str, tuple[Place, Place]] = {}
    for source in sources:
        try:
            records = _records_of(store, source, notes)
        except RecordingRejected as refusal:
            records = [Recording(path=source.path, refused=str(refusal))]
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            reason = f"cannot be read ({problem.strerror or problem})"
            records = [Recording(path=source.path, refused=reason)]
        yield [_once(record, source.path, first_with) for record in records]


def _records_of(store: RowStore, source: Source, notes: NoteRepresentation) -> list[Recording]:
    with local_copy(source.path) as local:
        if kind_of(local) == "MIDI":
            return [_midi_record(store, source, local, notes)]
        sequences = read_sequences(local, notes.steps_per_quarter)
    return _without_leaks([_set_record(store, source.path, sequence, notes) for sequence in sequences])


def _midi_record(store: RowStore, source: Source, local: Path, notes: NoteRepresentation) -> Recording:
    path = source.path
    stamp = stamp_of(source)
    found = known_hash(source, stamp, store.catalogue) or content_hash(local)
    stored = store.catalogue.stored.get(found)
    if stored is None:
        (sequence,) = read_sequences(local, notes.steps_per_quarter)
        stored = _append(store, found, sequence)
    store.remember(str(path), stamp, found)
    group = source.group or f"recording-{stored.audio_hash[:16]}"
    return _record(path, found, stored, notes).model_copy(update={"group": group, "split": source.split})


def _set_record(store: RowStore, file: Place, sequence: NoteSequence, notes: NoteRepresentation) -> Recording:
    """Return the record of a sequence of a set, a group by itself, by the hash of its notes."""
    path = file.with_name(f"{file.name}#{sequence.name}")
    key = _notes_hash(sequence)
    stored = store.catalogue.stored.get(key) or _append(store, key, sequence)
    place = {"group": path.name, "split": sequence.split}
    return _record(path, key, stored, notes).model_copy(update=place)


def _append(store: RowStore, key: str, sequence: NoteSequence) -> Stored:
    facts = {"frames": len(sequence.notes), "notes": list(sequence.remarks)}
    return store.append(key, _notes_hash(sequence), io.BytesIO(sequence.notes.tobytes()), facts)


def _notes_hash(sequence: NoteSequence) -> str:
    return hashlib.sha256(sequence.notes.tobytes()).hexdigest()


def _record(path: Place, key: str, stored: Stored, notes: NoteRepresentation) -> Recording:
    seconds = stored.length / notes.steps_per_quarter * 60 / notes.quarters_per_minute
    return Recording(
        path=path, content_hash=key, audio_hash=stored.audio_hash, seconds=seconds, **stored.facts
    )


def _without_leaks(records: list[Recording]) -> list[Recording]:
    """Return a set's records; those whose notes are also in a split nearer to the test split are rejected."""
    in_order = sorted(records, key=lambda record: SPLITS.index(record.split or "train"))
    latest = {record.audio_hash: record for record in in_order}
    kept = [latest[record.audio_hash] for record in records]
    return [
        record if record.split == other.split else _repeats(record, other.path)
        for record, other in zip(records, kept, strict=True)
    ]


def _once(record: Recording, file: Place, first_with: dict[str, tuple[Place, Place]]) -> Recording:
    """Return the record, as rejected where its notes were met before in another file."""
    if record.refused:
        return record
    first_file, first_path = first_with.setdefault(str(record.audio_hash), (file, record.path))
    return record if first_file == file else _repeats(record, first_path)


def _repeats(record: Recording, path: Place) -> Recording:
    return record.model_copy(update={"refused": f"the same notes as {path}"})
