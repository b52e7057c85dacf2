"""Recordings to a prepared data set: convert once, catalogue, split, fingerprint.

    data/prepared/waveform-1a2b3c4d/       one folder for each kind and settings of input
        rows.bin, catalogue.jsonl, ...     every recording ever converted with these settings
        rows-1073741824.bin, ...           further rows, in links to the folders of `preparation.folders`
        .shards/                           finished rows on their way to rows.bin
        0f1e2d3c4b5a/dataset.json          one folder for each data set, named by its fingerprint
        0f1e2d3c4b5a/manifest.jsonl        each recording found: its facts and split, or why it was rejected
    data/prepared/.folders/                links to what `preparation.folders` has of this data folder

An unchanged corpus is a no-op, a new file costs only itself. The rows, their order and the fingerprint do not
depend on who converts the recordings, and in which order.
"""

import time
from collections.abc import Callable
from pathlib import Path

from pipeline.common.files import data_dir
from pipeline.common.locks import announced_lock
from pipeline.common.progress import progress_bar
from pipeline.config.run import CorpusConfig, RunConfig
from pipeline.data.corpora.corpus import Corpus, find_corpus, write_corpus
from pipeline.data.corpora.source import Source
from pipeline.data.corpora.splits import remembered_splits
from pipeline.data.dataset import dataset_settings, write_dataset
from pipeline.data.manifest import Recording, write_manifest
from pipeline.data.music_preparation import music_records
from pipeline.data.preparing.execution import finished_stretches
from pipeline.data.preparing.merging import Merge
from pipeline.data.preparing.planning import plan
from pipeline.data.preparing.shard import hashes_of_keys
from pipeline.data.preparing.shard_files import shard_files
from pipeline.data.preparing.space import require_space_for_rows
from pipeline.data.store.row_store import RowStore, settings_key
from pipeline.errors import UserError
from pipeline.features.representation import NoteRepresentation, SoundRepresentation
from pipeline.features.representations import representation_of

COMMIT_SECONDS = 30.0


def prepare(
    config: RunConfig, reread: bool = False, progress: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Prepare the corpus that ``config`` names.

    Args:
        config: the corpus, the kind of input, and where recordings are converted.
        reread: read every file again, also those that appear unchanged. Content that is unchanged is not
            converted again.
        progress: called with the numbers of finished files and of all.

    Returns:
        The path of the data set's `dataset.json`.

    Raises:
        UserError: no recording at all can be used, or a disk with rows is away or full. Single bad recordings
            are written in the manifest with their reason.
    """
    settings, row_folders = dataset_settings(config.input), config.preparation.row_folders()
    folder = data_dir() / "prepared" / f"{config.input.kind}-{settings_key(settings)}"
    folder.mkdir(parents=True, exist_ok=True)
    corpus = find_corpus(config.corpus)
    sources = corpus.sources
    with announced_lock(folder / ".lock", f"{folder} is being prepared"):
        representation = representation_of(config.input)
        store = RowStore(folder, representation.row_width, representation.row_dtype, row_folders)
        try:
            if representation.sound is not None:
                records = _convert_sound(store, sources, config, representation.sound, reread, progress)
            else:
                assert representation.notes is not None
                records = _convert_notes(store, sources, representation.notes, progress)
        finally:
            store.commit()
        records = _with_splits(store, records, corpus, config.corpus)
        store.commit()
        if all(record.refused for record in records):
            write_manifest(folder / "manifest.jsonl", records)
            raise UserError(
                f"none of {len(records)} recordings can be used (the first: {records[0].path}: "
                f"{records[0].refused}); all reasons are in {folder / 'manifest.jsonl'}"
            )
        dataset = write_dataset(store, records, config.input)
        write_corpus(dataset, corpus)
        return dataset


def _convert_sound(
    store: RowStore,
    sources: list[Source],
    config: RunConfig,
    sound: SoundRepresentation,
    reread: bool,
    progress: Callable[[int, int], None],
) -> list[Recording]:
    """Convert what the store lacks, shard by shard; return the record of each source."""
    files = shard_files(config.preparation.shards, store.folder)
    stretches = list(plan(sources, store.catalogue, config.input, files, reread))
    require_space_for_rows(store.row_folders, stretches, sound)
    merge = Merge(store, sound, files)
    records: list[Recording] = []
    committed = time.monotonic()
    with progress_bar("recordings") as bar:
        task = bar.add_task("prepare", total=len(sources), note="")

        def note(done: int) -> None:
            bar.update(task, completed=done)
            progress(done, len(sources))

        finished = finished_stretches(
            stretches,
            config.preparation,
            hashes_of_keys(store.catalogue.stored),
            lambda position: note(len(records) + position),
        )
        try:
            for stretch in finished:
                records += merge.records(stretch)
                note(len(records))
                if time.monotonic() - committed > COMMIT_SECONDS:
                    merge.commit()
                    committed = time.monotonic()
        finally:
            finished.close()
            merge.commit()
    if any(stretch.shard for stretch in stretches):
        files.clear()
    return records


def _convert_notes(
    store: RowStore, sources: list[Source], notes: NoteRepresentation, progress: Callable[[int, int], None]
) -> list[Recording]:
    """Convert the files of notes that the store lacks; return the records of their sequences."""
    records: list[Recording] = []
    with progress_bar("files") as bar:
        task = bar.add_task("prepare", total=len(sources), note="")
        for done, found in enumerate(music_records(store, sources, notes), 1):
            records += found
            bar.update(task, completed=done)
            progress(done, len(sources))
    return records


def _with_splits(
    store: RowStore, records: list[Recording], corpus: Corpus, config: CorpusConfig
) -> list[Recording]:
    """Give every usable recording its split; the first assignment of a group is remembered and wins."""
    drawn = [(r.path, r.group) for r in records if r.group and not r.refused and not r.split]
    rule, known = remembered_splits(store.catalogue.splits, config, corpus.root)
    splits = corpus.draw_splits(drawn, config, known)
    if splits:
        store.catalogue.splits.setdefault(rule, {}).update({**known, **splits})
    layout = corpus.layout or None
    return [
        record.model_copy(update={"split": None, "layout": layout})
        if record.refused
        else record.model_copy(update={"split": record.split or splits[record.group or ""], "layout": layout})
        for record in records
    ]
