"""Entries of a manifest to sources: files found, times checked, repetitions and overlaps settled."""

import bisect
import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.common.places import Place, local_copy, place_of
from pipeline.config.types import SPLITS, Split
from pipeline.data.corpora.manifests.places import ADDRESS, Places
from pipeline.data.corpora.source import Source
from pipeline.errors import UserError

MAX_SECONDS = 1e7  # four months
MAX_OVERLAP_S = 0.1


@dataclass(frozen=True)
class Format:
    """A format of manifests.

    Attributes:
        name: for people.
        read_file: returns what a file names, None where it is not of this format. The second argument is the
            column or key with the speaker, where the user chose one.
        read_folder: the same for a folder.
    """

    name: str
    read_file: Callable[[Path, str | None], list[Source] | None] | None = None
    read_folder: Callable[[Path], list[Source] | None] | None = None


@dataclass(frozen=True)
class Entry:
    """One recording or segment as a manifest names it, unchecked.

    Attributes:
        place: where in the manifest it stands, such as "line 7".
        file: the name of the file.
        speaker, split, name: as the manifest gives them.
        start, seconds, end: times in seconds, as numbers or texts; None where not given.
        channel: the only channel that is used.
        in_samples: whether the times count samples.
        reason: why it cannot be used.
    """

    place: str
    file: Any = None
    speaker: Any = None
    split: Split | None = None
    name: Any = None
    start: Any = None
    seconds: Any = None
    end: Any = None
    channel: int | None = None
    in_samples: bool = False
    reason: str | None = None


class _Unusable(ValueError):
    """Why an entry cannot be used."""


def sources_of(manifest: Path, entries: Iterable[Entry], places: Places) -> list[Source]:
    """Return a source for each entry; one that cannot be used has a reason."""
    found: list[Source] = []
    first: dict[tuple[Place, str], int] = {}
    for entry in entries:
        source = _source(manifest, entry, places)
        if source.reason is None:
            key = (source.path, source.part)
            if (earlier := first.setdefault(key, len(found))) < len(found):
                found[earlier], repeated = _of_two(found[earlier], source)
                if repeated is None:
                    continue
                source = repeated
        found.append(source)
    return _without_overlaps(found)


def _source(manifest: Path, entry: Entry, places: Places) -> Source:
    where = f"{manifest.name}, {entry.place}"
    try:
        if entry.reason is not None:
            raise _Unusable(entry.reason)
        path = _path(entry.file, places)
        start, seconds = _times(entry, path)
    except (_Unusable, ValueError, OverflowError) as problem:
        text = entry.file if isinstance(entry.file, str) and not ADDRESS.match(entry.file) else ""
        named = places.find(text) or places.unfound(text) if 0 < len(text) < 4096 else manifest
        return Source(named, None, None, name=entry.place, reason=f"{problem} ({where})")
    part = bool(start or seconds is not None or entry.channel is not None)
    name = speaker_name(entry.name) or None
    group = speaker_name(entry.speaker) or (_short(path, places.folder) if part else None)
    source = Source(path, group, entry.split, start, seconds, channel=entry.channel)
    return replace(source, name=name or source.part) if part else source


def _short(path: Place, folder: Path) -> str:
    """Return a name of a file that stays when the whole corpus is moved."""
    if not isinstance(path, Path):
        return "/".join(str(path).split("/")[-3:])
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(Path(*path.parts[-3:]))


def speaker_name(value: Any) -> str:
    """Return a name without blanks around it and in one Unicode form; numbers are names, too."""
    if value is None or isinstance(value, bool | dict | list | float):
        return f"{value:g}" if isinstance(value, float) and math.isfinite(value) else ""
    return unicodedata.normalize("NFC", " ".join(str(value).split()))


def _path(file: Any, places: Places) -> Place:
    if not isinstance(file, str) or not file.strip():
        raise _Unusable("no file is named")
    if ADDRESS.match(file):
        try:
            return place_of(file.strip())
        except UserError as problem:
            raise _Unusable(str(problem)) from None
    if "\0" in file:
        raise _Unusable("the file's name holds zero bytes")
    if len(file) > 4096:
        raise _Unusable(f"the file's name has {len(file)} characters")
    return places.find(file) or places.unfound(file)


def _times(entry: Entry, path: Place) -> tuple[float, float | None]:
    """Return start and duration; a duration without a start states the whole file's length only."""
    start, end = _number(entry.start, "start"), _number(entry.end, "end")
    seconds = _number(entry.seconds, "duration")
    if start is None and end is None:
        return 0.0, None
    if end is not None and end < 0 and entry.end in (-1, "-1", "-1.0"):
        end = None  # Kaldi's sign for the end of the file
        seconds = None
    start = start or 0.0
    if start < 0:
        raise _Unusable(f"it starts at {start:g}, before the file")
    if end is not None:
        seconds = end - start
    if seconds is not None and seconds <= 0:
        raise _Unusable(f"its duration is {seconds:g}, not positive")
    if entry.in_samples:
        from pipeline.audio.decode import probe

        with local_copy(path) as local:
            rate = probe(local).sample_rate
        return start / rate, None if seconds is None else seconds / rate
    if max(start, seconds or 0) > MAX_SECONDS:
        raise _Unusable(f"{max(start, seconds or 0):g} s is no time in a recording")
    return start, seconds


def _number(value: Any, what: str) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*\d+,\d+\s*", value):
        value = value.replace(",", ".")
    try:
        if isinstance(value, bool | dict | list):
            raise ValueError
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        raise _Unusable(f"its {what} is {str(value)[:40]!r}, not a number") from None
    if not math.isfinite(number):
        raise _Unusable(f"its {what} is {number}, not a number of seconds")
    return number


def _of_two(first: Source, second: Source) -> tuple[Source, Source | None]:
    """Settle a part that is named twice: the same is used once, else the one held out longer."""
    if second.group in (None, first.group) and second.split in (None, first.split):
        return first, None
    if first.group in (None, second.group) and first.split is None:
        return second, None
    order = ("", *SPLITS)
    kept, other = (
        (second, first)
        if order.index(second.split or "") > order.index(first.split or "")
        else (first, second)
    )
    whose = f"{kept.group or 'no speaker'}, {kept.split or 'no split'}"
    return kept, replace(other, reason=f"the manifest names it twice, also as of {whose}")


def _without_overlaps(sources: list[Source]) -> list[Source]:
    """Reject segments that share sound with one of another speaker or split: it would be in both.

    Short ones are kept before long ones, so that one wrong end time costs one segment.
    """
    by_file: dict[tuple[Place, int | None], list[int]] = {}
    for number, source in enumerate(sources):
        if source.reason is None and (source.start_seconds or source.seconds is not None):
            by_file.setdefault((source.path, source.channel), []).append(number)
    for numbers in by_file.values():
        kept: list[_Stretch] = []
        for number in sorted(
            numbers, key=lambda number: _end(sources[number]) - sources[number].start_seconds
        ):
            source = sources[number]
            other = _claim(kept, _Stretch(source.start_seconds, _end(source), source))
            if other is not None:
                shared = min(other.end, _end(source)) - max(other.start, source.start_seconds)
                reason = f"overlaps {other.source.name} of another speaker or split by {shared:.2f} s"
                sources[number] = replace(source, reason=reason)
    return sources


class _Stretch(NamedTuple):
    start: float
    end: float
    source: Source


def _end(source: Source) -> float:
    return math.inf if source.seconds is None else source.start_seconds + source.seconds


def _claim(kept: list[_Stretch], new: _Stretch) -> _Stretch | None:
    """Insert a stretch into those in order, joined with those of its owner; return one that forbids it."""
    first = bisect.bisect_left(kept, new.start, key=lambda stretch: stretch.start)
    while first and kept[first - 1].end > new.start:
        first -= 1
    last = first
    start, end = new.start, new.end
    while last < len(kept) and kept[last].start < new.end:
        old = kept[last]
        if (old.source.group, old.source.split) == (new.source.group, new.source.split):
            start, end = min(start, old.start), max(end, old.end)
        elif min(old.end, new.end) - max(old.start, new.start) > MAX_OVERLAP_S:
            return old
        last += 1
    others = [
        old
        for old in kept[first:last]
        if (old.source.group, old.source.split) != (new.source.group, new.source.split)
    ]
    kept[first:last] = sorted([*others, _Stretch(start, end, new.source)], key=lambda stretch: stretch.start)
    return None
