"""The recordings of a corpus, with their groups and splits, found by the settings that name it."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.common.files import read_json, write_json
from pipeline.common.places import Place
from pipeline.config.run import CorpusConfig
from pipeline.config.types import SPLITS, Split
from pipeline.data.corpora.assignment import Assignment, assign
from pipeline.data.corpora.named import SET_SUFFIXES, Named, mirrored, read_inputs
from pipeline.data.corpora.remote import Mirror
from pipeline.data.corpora.source import Source
from pipeline.data.corpora.splits import assign_splits, assign_stretches, in_order_of_names
from pipeline.errors import UserError

SHARED_SHOWN = 3
FILE = "corpus.json"


@dataclass(frozen=True)
class Corpus:
    """What was found.

    Attributes:
        sources: what may be recordings, each once, in a fixed order.
        remarks: lines that say what was found, for a person.
        layout: name of the layout, or of the rule that gave the groups.
        root: the folder of the corpus, equal however its recordings are named.
        published: the splits that the corpus gives itself; nothing is drawn into them.
        in_order: whether recordings without a split are split in contiguous stretches of their order.
        side_files: number of files that are no recordings.
    """

    sources: list[Source]
    remarks: tuple[str, ...] = ()
    layout: str = ""
    root: Place = Path("/")
    published: frozenset[Split] = frozenset()
    in_order: bool = False
    side_files: int = 0

    def draw_splits(
        self, groups: Iterable[tuple[Place, str]], config: CorpusConfig, known: Mapping[str, str]
    ) -> dict[str, Split]:
        """Return the split of each group that the corpus gives none.

        Args:
            groups: of each recording without a split, its path and its group.
            config: the fractions and the seed.
            known: splits of an earlier preparation, which are kept.
        """
        valid = 0.0 if "valid" in self.published else config.valid_fraction
        test = 0.0 if "test" in self.published else config.test_fraction
        if self.in_order:
            ordered = in_order_of_names(groups)
            return assign_stretches([group for _, group in ordered], valid, test, known)
        return assign_splits({group for _, group in groups}, valid, test, config.split_seed, known)


def write_corpus(dataset: Path, corpus: Corpus) -> None:
    """Write what was found of a corpus beside its `dataset.json`."""
    found = {"layout": corpus.layout, "root": str(corpus.root), "remarks": corpus.remarks}
    write_json(dataset.with_name(FILE), {**found, "side_files": corpus.side_files})


def read_corpus(dataset: Path) -> dict[str, Any]:
    """Return what `write_corpus` wrote; no remarks for a data set of an earlier release."""
    path = dataset.with_name(FILE)
    return read_json(path, "corpus of a data set") if path.exists() else {"layout": "", "remarks": []}


def find_corpus(config: CorpusConfig) -> Corpus:
    """Find the recordings that ``config`` names, their groups and their splits; nothing is decoded.

    Raises:
        UserError: an input is missing, empty or contradicts itself, or nothing is named.
    """
    with mirrored() as mirror:
        corpus = _found(config, mirror)
        return replace(
            corpus,
            sources=[mirror.source_at(source) for source in corpus.sources],
            root=mirror.place_at(corpus.root),
            remarks=tuple(map(mirror.readable, corpus.remarks)),
        )


def _found(config: CorpusConfig, mirror: Mirror) -> Corpus:
    """Return the corpus, with paths in the mirror for addresses."""
    named = read_inputs(mirror.shown(config.inputs), config.group, mirror)
    if not named.sources:
        raise UserError("no recordings named: give a folder, or set corpus.inputs", 2)
    open_ones = [source.here for source in named.sources if source.group is None]
    by_path = config.group in ("auto", "folder") or config.speaker_pattern is not None
    found = assign(open_ones, config, named.base) if open_ones and by_path else None
    completed = _completed(named.sources, found)
    given, published, remarks = _published(completed, found, config)
    sources, in_order, more = _one_by_one(given, config)
    layouts = dict(found.layouts) if found else {}
    if from_tables := sum(source.group is not None for source in named.sources):
        layouts = (
            {"tables": from_tables, **(layouts if any(found.groups) else {})} if found else {"tables": 1}
        )
    trained = bool(published) and any(source.split == "train" for source in completed)
    head = _headline(sources, layouts, found, trained)
    if all(source.path.suffix.lower() in SET_SUFFIXES and not source.group for source in sources):
        plural = "s" * (len(sources) > 1)
        head, more = f"{len(sources)} set{plural} of pieces, splits as given in the file{plural}", ()
    return Corpus(
        sources,
        (head, *(found.remarks if found else ()), *remarks, *more, *_side_remark(named)),
        ", ".join(layouts),
        found.root if found else named.base,
        published,
        in_order,
        len(named.side_files),
    )


def _completed(sources: Sequence[Source], found: Assignment | None) -> list[Source]:
    """Return the sources with what their paths give; a group that has one split in some has it in all."""
    groups, splits = (found.groups, found.splits) if found else ({}, {})
    completed = [
        source if source.group else replace(source, group=groups.get(source.here)) for source in sources
    ]
    of_group: dict[str, set[Split]] = defaultdict(set)
    for source in completed:
        if source.group and source.split:
            of_group[source.group].add(source.split)
    only = {group: next(iter(given)) for group, given in of_group.items() if len(given) == 1}
    return [
        replace(source, split=source.split or splits.get(source.here) or only.get(source.group or ""))
        for source in completed
    ]


def _published(
    sources: Sequence[Source], found: Assignment | None, config: CorpusConfig
) -> tuple[list[Source], frozenset[Split], tuple[str, ...]]:
    """Return the sources with the published splits that are used, these splits, and remarks.

    Splits are used where training recordings and others are among them. Of a corpus without its own
    validation or test split, that one is drawn from the training recordings.
    """
    if config.splits == "drawn":
        return [replace(source, split=None) for source in sources], frozenset(), ()
    by_path = found.splits if found else {}
    there = {source.split for source in sources if source.split}
    if by_path and config.splits != "published" and (len(there) < 2 or "train" not in there):
        remark = (
            f"only the published {' and '.join(sorted(there))} split is here: its recordings are split anew;"
            " --set corpus.splits=published keeps it whole"
        )
        return [replace(s, split=None) if s.path in by_path else s for s in sources], frozenset(), (remark,)
    if not by_path and not all(source.split for source in sources):
        return list(sources), frozenset(), tuple(_shared(sources))
    fractions = {"valid": config.valid_fraction, "test": config.test_fraction}
    missing = [split for split, share in fractions.items() if share and split not in there]
    remarks = tuple(_shared(sources))
    if missing and "train" in there:
        sources = [replace(s, split=None) if s.split == "train" else s for s in sources]
        remark = f"no {' and no '.join(missing)} split is published: drawn from the training recordings"
        return list(sources), frozenset(there - {"train"}), (remark, *remarks)
    return list(sources), frozenset(there), remarks


def _shared(sources: Sequence[Source]) -> Iterator[str]:
    splits: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        if source.group is not None and source.split:
            splits[source.group].add(source.split)
    shared = sorted(group for group, found in splits.items() if len(found) > 1)
    if shared:
        more = f" and {len(shared) - SHARED_SHOWN} more" if len(shared) > SHARED_SHOWN else ""
        yield (
            f"{len(shared)} of {len(splits)} groups stand in several of the published splits"
            f" ({', '.join(shared[:SHARED_SHOWN])}{more}), which are kept;"
            " --set corpus.splits=drawn separates them"
        )


def _one_by_one(sources: list[Source], config: CorpusConfig) -> tuple[list[Source], bool, tuple[str, ...]]:
    """Return the sources, ungrouped where they have one group or none, and how they are split."""
    groups = {source.group for source in sources}
    if (
        len(groups) > 1
        or (config.group == "recording")
        or not any(source.split is None for source in sources)
    ):
        return sources, False, ()
    in_order = _have_an_order([source for source in sources if source.split is None])
    how = "in contiguous stretches, in the order of their names" if in_order else "one by one"
    who = "there is one speaker" if groups != {None} else "no speakers were found"
    return [replace(s, group=None) for s in sources], in_order, (f"{who}: recordings are split {how}",)


def _have_an_order(sources: Sequence[Source]) -> bool:
    """Return whether names have numbers, such as counts, dates or times."""
    return len(sources) > 1 and all(source.name or re.search(r"\d", source.path.stem) for source in sources)


def _headline(
    sources: Sequence[Source], layouts: Mapping[str, int], found: Assignment | None, trained: bool
) -> str:
    """Return the line on a corpus; ``trained``: its training split is used, also where others are drawn."""
    groups = len({source.group for source in sources if source.group})
    name = ", ".join(layouts) or ("recordings" if found is None else "")
    unit = found.unit if found and set(found.layouts) == set(layouts) else "groups"
    who = f"{groups} {unit[:-1] if groups == 1 else unit}" if groups else f"{len(sources)} recordings"
    there = {source.split for source in sources if source.split} | ({"train"} if trained else set())
    given = [split for split in SPLITS if split in there]
    how = f"splits {'/'.join(given)} as {'published' if found and found.splits else 'given'}" if given else ""
    return f"{name or 'recordings'}: {who}, {how or 'splits drawn'}"


def _side_remark(named: Named) -> Iterator[str]:
    if named.side_files:
        kinds = Counter(path.suffix.lower() or path.name for path in named.side_files)
        shown = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(4))
        count = len(named.side_files)
        files = "file that is no recording was" if count == 1 else "files that are no recordings were"
        yield f"{count:,} {files} left out ({shown})"
