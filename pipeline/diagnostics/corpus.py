"""Examination of a corpus: a folder, table or list of recordings, one by one and as a whole."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.common.progress import progress_bar
from pipeline.common.text import duration
from pipeline.config.run import CorpusConfig
from pipeline.config.types import SPLITS
from pipeline.data.corpora.corpus import Corpus, find_corpus
from pipeline.data.corpora.source import Source
from pipeline.data.manifest import content_hash
from pipeline.data.rejections import reason_kind
from pipeline.diagnostics.data_size import enough_sound
from pipeline.diagnostics.findings import Examination, Finding, Severity, counted, share, worst_first
from pipeline.diagnostics.recording import decibels, examine_recording
from pipeline.errors import RecordingRejected, UserError

OUTLIER_DB = 20.0
MANY = 0.5  # of the recordings: then it is the rule, not the exception
NAMED = 3


def examine_corpus(named: Path, sample_rate: int, steps_per_second: float, parameters: int) -> Examination:
    """Examine the recordings of a corpus for a model.

    Args:
        named: a folder, a table or a list of recordings.
        sample_rate: of the model, in Hz.
        steps_per_second: predictions of the model for a second of input.
        parameters: number of parameters of the model.

    Returns:
        The examination, with the findings of single recordings grouped by kind.

    Raises:
        UserError: no recording can be listed.
    """
    config = CorpusConfig(inputs=[named])
    corpus = find_corpus(config)
    sources = corpus.sources
    paths = [source.path for source in sources if isinstance(source.path, Path)]
    if len(paths) < len(sources):
        raise UserError(f"{named}: names remote files; doctor examines files of this machine only")
    examined, hashes = _examine_all(paths, sample_rate)
    used = [(s, e) for s, e in zip(sources, examined, strict=True) if "refused" not in e.figures]
    seconds = sum(e.figures["seconds"] for _, e in used)
    groups = {source.group or str(source.path) for source, _ in used}
    figures = {
        "recordings": len(sources),
        "usable": len(used),
        "seconds": round(seconds, 3),
        "groups": len(groups),
        "sample_rates": dict(sorted(Counter(str(e.figures["sample_rate"]) for _, e in used).items())),
    }
    trained_on = 1 - config.valid_fraction - config.test_fraction
    findings = [*_rejected(examined), *_duplicates(sources, hashes)]
    if used:
        findings += [
            *_splits(corpus, [source for source, _ in used], config),
            *enough_sound(seconds * steps_per_second * trained_on, parameters, seconds),
            *_rates(figures["sample_rates"]),
            *_outliers([e for _, e in used]),
            *_faults([e for _, e in used]),
        ]
    summary = (
        f"{counted(len(used), 'recording')} of {counted(len(sources), 'file')}, {duration(seconds)},"
        f" {counted(len(groups), 'group')}"
    )
    return Examination(str(named), "corpus", summary, figures, worst_first(findings))


def _examine_all(paths: Sequence[Path], sample_rate: int) -> tuple[list[Examination], list[str]]:
    """Return the examination and the content hash of every file; several files are read at a time."""

    def one(path: Path) -> tuple[Examination, str]:
        found = examine_recording(path, sample_rate)
        try:
            return found, content_hash(path)
        except (RecordingRejected, OSError):
            return found, hashlib.sha256(os.fsencode(path)).hexdigest()

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, progress_bar("recordings") as bar:
        task = bar.add_task("examine", total=len(paths), note="")
        results = []
        for result in pool.map(one, paths):
            results.append(result)
            bar.advance(task)
    return [found for found, _ in results], [key for _, key in results]


def _rejected(examined: Sequence[Examination]) -> Iterator[Finding]:
    """Yield a finding for each reason of rejection; reasons that differ in numbers alone count as one."""
    by_reason: dict[tuple[str, str], list[Examination]] = defaultdict(list)
    for one in examined:
        if "refused" in one.figures:
            reason = reason_kind(one.figures["refused"])
            by_reason[reason, one.findings[0].advice].append(one)
    everything = sum(map(len, by_reason.values())) == len(examined)
    for alike in sorted(by_reason.values(), key=len, reverse=True):
        first = alike[0]
        example = first.figures["refused"] + ("" if len(alike) == 1 else ", for example")
        what = f"{counted(len(alike), 'file')} cannot be used ({example}): {_names(alike)}."
        severity: Severity = "problem" if everything else "warning"
        yield Finding(severity, "unreadable", what, first.findings[0].advice)


def _duplicates(sources: Sequence[Source], hashes: Sequence[str]) -> Iterator[Finding]:
    first: dict[str, Source] = {}
    again, across = [], 0
    for source, key in zip(sources, hashes, strict=True):
        if key in first:
            again.append((source.path, first[key].path))
            across += source.group != first[key].group
        first.setdefault(key, source)
    if again:
        where = f", {across} of them in another group" if across else ""
        example = f"{again[0][0]} equals {again[0][1]}"
        what = f"{counted(len(again), 'file')} repeat others byte for byte{where}: {example}."
        advice = "Preparation uses one copy of each; delete the other copies."
        yield Finding("warning", "duplicates", what, advice)


def _splits(corpus: Corpus, used: Sequence[Source], config: CorpusConfig) -> Iterator[Finding]:
    group_of = {source: source.group or str(source.path) for source in used}
    open_ones = [(source.path, group_of[source]) for source in used if source.split is None]
    split_of: dict[str, str] = dict(corpus.draw_splits(open_ones, config, {}))
    split_of |= {group_of[source]: source.split for source in used if source.split}
    groups, sizes = set(split_of), Counter(split_of.values())
    counts = ", ".join(f"{split} {sizes[split]}" for split in SPLITS)
    empty = [split for split in SPLITS if not sizes[split]]
    advice = "Put each speaker or source in a separate folder, or split with --set corpus.group=recording."
    if empty:
        what = f"There are too few groups ({len(groups)}): no group is left for {' and '.join(empty)}."
        yield Finding("problem" if "valid" in empty else "warning", "splits", what, advice)
    elif min(sizes["valid"], sizes["test"]) < 3:
        what = f"Few groups are held out ({counts}): figures will depend on single speakers or sources."
        yield Finding(
            "warning", "splits", what, "Add groups, or hold out more: --set corpus.test_fraction=0.2."
        )
    else:
        yield Finding("fine", "splits", f"Every split has groups: {counts}.")


def _rates(rates: dict[str, int]) -> Iterator[Finding]:
    if len(rates) > 1:
        listed = ", ".join(f"{rate} Hz ({count})" for rate, count in rates.items())
        what = f"Sample rates are mixed: {listed}. Upsampled recordings have no high frequencies."
        yield Finding("warning", "mixed-rates", what, "Train at the lowest rate: --set input.sample_rate=...")


def _outliers(used: Sequence[Examination]) -> Iterator[Finding]:
    """Yield findings on recordings that are far louder or quieter than the others."""
    levels = np.array([decibels(max(e.figures["std"])) for e in used])
    middle = float(np.median(levels))
    for louder, word in ((True, "louder"), (False, "quieter")):
        apart = levels - middle if louder else middle - levels
        found = [e for e, by in zip(used, apart, strict=True) if by > OUTLIER_DB]
        if found:
            much = f"more than {OUTLIER_DB:.0f} dB {word} than most"
            what = f"{counted(len(found), 'recording')} {much}: {_names(found)}."
            yield Finding("warning", word, what, "Adjust them to a similar level, or leave them out.")


def _faults(used: Sequence[Examination]) -> Iterator[Finding]:
    """Yield the findings of single recordings by kind, with one recording as the example."""
    by_name: dict[str, list[tuple[Examination, Finding]]] = defaultdict(list)
    for one in used:
        for finding in one.findings:
            if finding.severity != "fine":
                by_name[finding.name].append((one, finding))
    for name, found in sorted(by_name.items(), key=lambda item: -len(item[1])):
        rule = len(found) > MANY * len(used)
        bad = any(f.severity == "problem" for _, f in found)
        severity: Severity = "problem" if rule and bad else "warning"
        example, finding = found[0]
        what = (
            f"{name}: {counted(len(found), 'recording')} ({share(len(found) / len(used))}), such as"
            f" {example.thing}: {finding.what}"
        )
        yield Finding(severity, name, what, finding.advice)
    if not by_name:
        yield Finding("fine", "sound", "Nothing is wrong with any single recording.")


def _names(found: Sequence[Any]) -> str:
    names = ", ".join(one.thing for one in found[:NAMED])
    return f"{names} and {len(found) - NAMED} more" if len(found) > NAMED else names
