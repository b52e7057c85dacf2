"""A look at a corpus before it is prepared: speakers, splits, minutes and rejections, from headers alone.

Sets of piano rolls are read whole: only their content gives the number of pieces in each split.
"""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pipeline.common.files import data_location
from pipeline.common.places import local_copy
from pipeline.common.progress import progress_bar
from pipeline.config.run import RunConfig
from pipeline.config.types import SPLITS, Split
from pipeline.data.corpora.corpus import Corpus, find_corpus
from pipeline.data.corpora.opening import open_source
from pipeline.data.corpora.source import Source
from pipeline.data.corpora.splits import remembered_splits
from pipeline.data.dataset import dataset_settings
from pipeline.data.store.catalogue import read_catalogue
from pipeline.data.store.row_store import settings_key
from pipeline.errors import RecordingRejected
from pipeline.features.representations import representation_of
from pipeline.music.piano_roll import kind_of, read_sequences


@dataclass(frozen=True)
class Header:
    """What a header gives: the duration, None where it gives none, or the reason of a rejection.

    Attributes:
        pieces: how many pieces a set of piano rolls has in each split; None for any other file.
    """

    seconds: float | None = None
    pieces: Counter[Split] | None = None
    rejected: str | None = None


def dry_run(config: RunConfig) -> dict[str, Any]:
    """Return what a preparation would find; only headers are read, and nothing is written.

    Returns:
        `layout`, `remarks` and `side_files` of the corpus. `splits`: for each split its `groups`, its
        `recordings`, its `minutes` and `unknown_durations`, recordings whose header gives no duration;
        piano rolls have neither of the last two, and each piece of a set is a group and a recording.
        `refused`: path and reason of each recording that would be rejected.

    Raises:
        UserError: an input is missing, empty or contradicts itself.
    """
    corpus = find_corpus(config.corpus)
    of_notes = representation_of(config.input).notes is not None
    headers = _read_all(corpus.sources, of_notes)
    used = [(s, h) for s, h in zip(corpus.sources, headers, strict=True) if h.rejected is None]
    single = [(source, header) for source, header in used if header.pieces is None]
    pieces = sum((header.pieces for _, header in used if header.pieces), Counter[Split]())
    split_of = _splits(corpus, [source for source, _ in single], config)
    splits: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        found = [(source, header) for source, header in single if split_of[source] == split]
        known = [header.seconds for _, header in found if header.seconds is not None]
        splits[split] = {
            "groups": len({_group(source) for source, _ in found}) + pieces[split],
            "recordings": len(found) + pieces[split],
        }
        if not of_notes:
            splits[split]["minutes"] = round(sum(known) / 60, 2)
            splits[split]["unknown_durations"] = len(found) - len(known)
    return {
        "layout": corpus.layout,
        "root": str(corpus.root),
        "remarks": list(corpus.remarks),
        "side_files": corpus.side_files,
        "recordings": len(single) + pieces.total(),
        "groups": len({_group(source) for source, _ in single}) + pieces.total(),
        "splits": splits,
        "refused": [
            {"path": source.label, "reason": header.rejected}
            for source, header in zip(corpus.sources, headers, strict=True)
            if header.rejected is not None
        ],
    }


def _group(source: Source) -> str:
    return source.group or source.label


def _splits(corpus: Corpus, used: Sequence[Source], config: RunConfig) -> dict[Source, Split]:
    """Return splits as a preparation would assign them; those of single recordings are an estimate.

    A recording by itself is assigned by the hash of its sound, which is not known here.
    """
    folder = f"{config.input.kind}-{settings_key(dataset_settings(config.input))}"
    catalogue = read_catalogue(data_location() / "prepared" / folder).catalogue
    _, known = remembered_splits(catalogue.splits, config.corpus, corpus.root)
    drawn = [(source.path, _group(source)) for source in used if source.split is None]
    of_group = corpus.draw_splits(drawn, config.corpus, known)
    return {source: source.split or of_group[_group(source)] for source in used}


def _read_all(sources: Sequence[Source], notes: bool) -> list[Header]:
    read = _read_notes if notes else _read_sound
    found = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, progress_bar("recordings") as bar:
        task = bar.add_task("read", total=len(sources), note="")
        for header in pool.map(read, sources):
            found.append(header)
            bar.advance(task)
    return found


def _read_sound(source: Source) -> Header:
    try:
        with open_source(source) as recording:
            if source.seconds is not None:
                return Header(source.seconds)
            info = recording.info
            return Header(None if info.frames is None else info.frames / info.sample_rate)
    except (RecordingRejected, OSError) as problem:
        return Header(rejected=str(problem))


def _read_notes(source: Source) -> Header:
    try:
        with local_copy(source.path) as local:
            if kind_of(local) == "MIDI":
                return Header()
            sequences = read_sequences(local, steps_per_quarter=1)
        return Header(pieces=Counter(each.split for each in sequences if each.split))
    except (RecordingRejected, OSError) as problem:
        return Header(rejected=str(problem))
