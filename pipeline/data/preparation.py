"""Recordings to a prepared data set: decode once, catalogue, split, fingerprint.

    data/prepared/waveform-1a2b3c4d/       one folder for each kind and settings of input
        rows.bin, catalogue.json, ...      every recording ever converted with these settings
        0f1e2d3c4b5a/dataset.json          one folder for each data set, named by its fingerprint
        0f1e2d3c4b5a/manifest.jsonl        each recording found: its facts and split, or why it was rejected

An unchanged corpus is a no-op, a new file costs only itself.
"""

import errno
import hashlib
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.audio.decode import DecodedFacts
from pipeline.common.blocks import read_blocks
from pipeline.common.files import data_dir
from pipeline.common.locks import announced_lock
from pipeline.common.places import Place, is_folder, local_copy
from pipeline.common.places import stamp as stamp_of
from pipeline.common.progress import progress_bar
from pipeline.config.run import CorpusConfig, RunConfig
from pipeline.data.corpora.corpus import find_corpus
from pipeline.data.corpora.opening import open_source
from pipeline.data.corpora.source import Source
from pipeline.data.corpora.splits import assign_splits
from pipeline.data.dataset import dataset_settings, write_dataset
from pipeline.data.manifest import Recording, content_hash, write_manifest
from pipeline.data.music_preparation import music_records
from pipeline.data.row_store import RowStore, settings_key
from pipeline.errors import RecordingRejected, UserError
from pipeline.features.representation import Representation, SoundRepresentation
from pipeline.features.representations import representation_of

MEMORY_BYTES = 32 << 20
"""A recording's rows stay in memory up to this size while they wait for their turn to be appended."""

COMMIT_SECONDS = 30.0


@dataclass(frozen=True)
class Converted:
    """What a worker made of one file: rows to append, or nothing where the store has them already."""

    source: Source
    stat: tuple[int, int]
    content_hash: str
    audio_hash: str = ""
    rows: IO[bytes] | None = None
    facts: dict[str, Any] | None = None


def prepare(config: RunConfig) -> Path:
    """Prepare the corpus that ``config`` names; returns the path of its `dataset.json`.

    Raises `UserError` where no recording at all can be used; single bad recordings are written in the
    manifest with their reason.
    """
    settings = dataset_settings(config.input)
    folder = data_dir() / "prepared" / f"{config.input.kind}-{settings_key(settings)}"
    folder.mkdir(parents=True, exist_ok=True)
    sources = find_corpus(config.corpus).sources
    with announced_lock(folder / ".lock", f"{folder} is being prepared"):
        representation = representation_of(config.input)
        store = RowStore(folder, representation.row_width, representation.row_dtype)
        try:
            records = _convert_all(store, sources, representation)
        finally:
            store.commit()
        records = _with_splits(store, records, sources, config.corpus)
        store.commit()
        if all(record.refused for record in records):
            write_manifest(folder / "manifest.jsonl", records)
            raise UserError(
                f"none of {len(records)} recordings can be used (the first: {records[0].path}: "
                f"{records[0].refused}); all reasons are in {folder / 'manifest.jsonl'}"
            )
        return write_dataset(store, records, config.input)


def _convert_all(store: RowStore, sources: list[Source], representation: Representation) -> list[Recording]:
    records: list[Recording] = []
    saved = time.monotonic()
    with progress_bar("recordings") as bar:
        task = bar.add_task("prepare", total=len(sources), note="")
        for found in _records(store, sources, representation):
            records += found
            bar.advance(task)
            if time.monotonic() - saved > COMMIT_SECONDS:
                store.commit()
                saved = time.monotonic()
    return records


def _records(
    store: RowStore, sources: list[Source], representation: Representation
) -> Iterator[list[Recording]]:
    """Yield the records of each source in turn: many for a set of music, else one."""
    if representation.notes is not None:
        yield from music_records(store, sources, representation.notes)
        return
    sound = representation.sound
    assert sound is not None
    first_with: dict[str, str] = {}
    for source, result in _in_order(store, sources, sound):
        yield [_record(store, source, result, first_with)]


def _in_order(
    store: RowStore, sources: Iterable[Source], sound: SoundRepresentation
) -> Iterator[tuple[Source, "Future[Converted]"]]:
    """Convert with a thread per core, a few files ahead of the reader, in the order of ``sources``."""
    workers = os.cpu_count() or 1
    waiting: deque[tuple[Source, Future[Converted]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for source in sources:
            waiting.append((source, pool.submit(_convert, store, source, sound)))
            if len(waiting) > 2 * workers:
                yield waiting.popleft()
        yield from waiting


def _convert(store: RowStore, source: Source, sound: SoundRepresentation) -> Converted:
    """Decode one file in a worker thread; an error in the file rejects this file alone."""
    try:
        return _decoded(store, source, sound)
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RecordingRejected("unreadable", f"cannot be read ({problem.strerror or problem})") from None


def _decoded(store: RowStore, source: Source, sound: SoundRepresentation) -> Converted:
    stamp = _stamp(source.path)
    seen = store.catalogue.seen.get(str(source.path))
    known = tuple(seen[:2]) == stamp if seen else False
    found = seen[2] if seen and known else ""
    if found in store.catalogue.stored:
        return Converted(source, stamp, found)
    with local_copy(source.path) as path:
        return _decoded_here(store, source, path, stamp, sound)


def _stamp(place: Place) -> tuple[int, int]:
    """Return size and time of a file, as the catalogue keeps them."""
    size, changed, *_ = stamp_of(place)
    return size, changed


def _decoded_here(
    store: RowStore, source: Source, path: Path, stamp: tuple[int, int], sound: SoundRepresentation
) -> Converted:
    found = content_hash(path)
    if found in store.catalogue.stored:
        return Converted(source, stamp, found)
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    digest = hashlib.sha256()
    with open_source(replace(source, path=path)) as recording:
        for block in recording.blocks(sound.sample_rate):
            digest.update(block.data)
            spool.write(block.data)
    rows = spool if sound.rows_are_samples else _rows(spool, sound)
    facts = _plain_facts(recording.facts, sound.sample_rate)
    return Converted(source, stamp, found, digest.hexdigest(), rows, facts)


def _rows(samples: IO[bytes], sound: SoundRepresentation) -> IO[bytes]:
    blocks = (block[:, 0] for block in read_blocks(samples, 1, np.dtype("int16")))
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    for rows in sound.rows_of_blocks(blocks):
        spool.write(np.ascontiguousarray(rows).data)
    samples.close()
    return spool


def _plain_facts(facts: DecodedFacts, sample_rate: int) -> dict[str, Any]:
    info = facts.info
    return {
        "sample_rate": info.sample_rate,
        "channels": info.channels,
        "frames": info.frames,
        "container": info.container,
        "encoding": info.encoding,
        "samples": facts.samples,
        "seconds": facts.samples / sample_rate,
        "peak": facts.peak,
        "notes": list(facts.notes),
    }


def _record(
    store: RowStore, source: Source, result: "Future[Converted]", first_with: dict[str, str]
) -> Recording:
    """Append what was converted and make the manifest's record; a rejection is a record, too."""
    path = str(source.path)
    try:
        converted = result.result()
    except RecordingRejected as refusal:
        return Recording(path=source.path, refused=str(refusal))
    stored = store.catalogue.stored.get(converted.content_hash)
    if stored is None:
        assert converted.rows is not None
        assert converted.facts is not None
        stored = store.append(converted.content_hash, converted.audio_hash, converted.rows, converted.facts)
        converted.rows.close()
    store.remember(path, (*converted.stat, converted.content_hash))
    first = first_with.setdefault(stored.audio_hash, path)
    return Recording(
        path=source.path,
        content_hash=converted.content_hash,
        audio_hash=stored.audio_hash,
        group=source.group or f"recording-{stored.audio_hash[:16]}",
        refused=None if first == path else f"the same sound as {first}",
        **stored.facts,
    )


def _with_splits(
    store: RowStore, records: list[Recording], sources: list[Source], config: CorpusConfig
) -> list[Recording]:
    """Give every usable recording its split; the first assignment of a group is remembered and wins."""
    given = {source.path: source.split for source in sources if source.split}
    given |= {record.path: record.split for record in records if record.split}
    groups = {r.group for r in records if r.group and not r.refused and r.path not in given}
    known = store.catalogue.splits.setdefault(_splitting_rule(config), {})
    splits = assign_splits(groups, config.valid_fraction, config.test_fraction, config.split_seed, known)
    if splits.items() - known.items():
        known.update(splits)
        store.changed = True
    return [
        record
        if record.refused
        else record.model_copy(update={"split": given.get(record.path) or splits[record.group or ""]})
        for record in records
    ]


def _corpus_folder(path: Place) -> Place:
    absolute = path.absolute() if isinstance(path, Path) else path
    return absolute if is_folder(path) else absolute.parent


def _splitting_rule(config: CorpusConfig) -> str:
    """Return the key of remembered splits: the corpus and the seed; added files in its folders keep it."""
    places = {str(_corpus_folder(path)) for path in config.inputs}
    draw = f"{config.split_seed}/{config.valid_fraction}/{config.test_fraction}"
    return " ".join([draw, *sorted(places)])
