"""Manifests of lhotse: recordings, supervisions and cuts, as JSON lines or an array, gzipped or not.

Times are seconds; a supervision is relative to its recording, or to the cut that holds it
(https://lhotse.readthedocs.io/en/latest/corpus.html).
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.data.corpora.manifests.columns import published_split
from pipeline.data.corpora.manifests.entry import Entry, Format, sources_of
from pipeline.data.corpora.manifests.json_records import TRIED, Record, records_in
from pipeline.data.corpora.manifests.places import Places
from pipeline.data.corpora.source import Source
from pipeline.errors import UserError

KINDS = ("recordings", "supervisions", "cuts")
ROUNDING_S = 0.001


def read_file(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return the recordings of a manifest; recordings and supervisions beside each other are joined."""
    if ".json" not in path.name.lower():
        return None
    records = records_in(path)
    if records is None:
        return None
    early = list(itertools.islice(records, TRIED))
    kind = next((found for _, fields in early if (found := _kind(fields))), None)
    if kind is None:
        return None
    speaker = speaker_column or "speaker"
    every = itertools.chain(early, records)
    if kind == "cuts":
        entries: Iterable[Entry] = itertools.chain.from_iterable(_cut(*record, speaker) for record in every)
    else:
        other = _beside(path, kind)
        if other is None and kind == "supervisions":
            raise UserError(
                f"{path}: supervisions, but no lhotse manifest of their recordings lies beside them"
            )
        others = records_in(other) or () if other else ()
        recordings, supervisions = (every, others) if kind == "recordings" else (others, every)
        entries = _joined(recordings, supervisions, speaker)
    split = published_split(path)
    given = (entry if entry.split else _with_split(entry, split) for entry in entries)
    return sources_of(path, given, Places(path.parent))


def read_folder(folder: Path) -> list[Source] | None:
    """Return the recordings of all manifests in a folder: those of recordings, else cuts."""
    files = sorted(path for path in folder.glob("*.json*") if path.is_file())
    for kind in ("recordings", "cuts"):
        read = [read_file(path) for path in files if kind in path.name.lower()]
        found = [source for sources in read if sources for source in sources]
        if found:
            return found
    return None


def _kind(fields: Any) -> str | None:
    if not isinstance(fields, Mapping):
        return None
    if isinstance(fields.get("sources"), list) and "sampling_rate" in fields:
        return "recordings"
    if "recording_id" in fields and "start" in fields and "duration" in fields:
        return "supervisions"
    return "cuts" if fields.get("type") in ("MonoCut", "MultiCut", "MixedCut", "PaddingCut", "Cut") else None


def _beside(path: Path, kind: str) -> Path | None:
    """Return the manifest of the other kind: the name of this one with the other word in it."""
    other = "supervisions" if kind == "recordings" else "recordings"
    named = path.with_name(path.name.replace(kind, other))
    return named if named != path and named.is_file() else None


def _with_split(entry: Entry, split: Any) -> Entry:
    from dataclasses import replace

    return replace(entry, split=split)


def _joined(recordings: Iterable[Record], supervisions: Iterable[Record], speaker: str) -> Iterator[Entry]:
    """Yield an entry for each supervision, and one for each recording that has none."""
    of_recording: dict[str, list[Record]] = {}
    bad: list[Entry] = []
    for place, fields in supervisions:
        if isinstance(fields, Mapping):
            of_recording.setdefault(str(fields.get("recording_id")), []).append((place, fields))
        else:
            bad.append(_not_an_object(place, fields))
    for place, recording in recordings:
        if not isinstance(recording, Mapping):
            yield _not_an_object(place, recording)
            continue
        inside = of_recording.pop(str(recording.get("id")), None)
        if inside is None:
            yield from _files(place, recording, {"name": recording.get("id")}, None)
        for where, fields in inside or ():
            about = {"speaker": _value(fields, speaker), "name": fields.get("id")}
            times = _times(fields.get("start"), fields.get("duration"), recording)
            yield from _files(where, recording, about | times, fields.get("channel"))
    for name, left in of_recording.items():
        for place, _ in left:
            yield Entry(place, reason=f"recording {name} is not in the manifest of recordings")
    yield from bad


def _cut(place: str, cut: Any, speaker: str) -> Iterator[Entry]:
    if not isinstance(cut, Mapping):
        yield _not_an_object(place, cut)
        return
    cut = _without_padding(cut)
    recording = cut.get("recording")
    if cut.get("type") in ("MixedCut", "PaddingCut"):
        yield Entry(place, reason=f"a {cut['type']}, made from several sounds or none, is not a recording")
    elif not isinstance(recording, Mapping):
        yield Entry(place, reason="a cut without its recording")
    else:
        inside = cut.get("supervisions")
        found = [s for s in inside if isinstance(s, Mapping)] if isinstance(inside, list) else []
        speakers = {str(name) for s in found if (name := _value(s, speaker)) is not None}
        about = {"speaker": speakers.pop() if len(speakers) == 1 else None, "name": cut.get("id")}
        times = _times(cut.get("start"), cut.get("duration"), recording)
        yield from _files(place, recording, about | times, cut.get("channel"))


def _without_padding(cut: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the only cut with sound in a mix, where the others are silence that fills a batch."""
    tracks = cut.get("tracks")
    if cut.get("type") != "MixedCut" or not isinstance(tracks, list) or cut.get("transforms"):
        return cut
    inside = [track.get("cut") for track in tracks if isinstance(track, Mapping)]
    sounds = [one for one in inside if isinstance(one, Mapping) and "recording" in one]
    return {"type": "MonoCut", **sounds[0]} if len(sounds) == 1 else cut


def _changes_sound(transforms: Any) -> bool:
    """Return whether transforms do more than another sample rate, which is a setting here."""
    names = [one.get("name") if isinstance(one, Mapping) else None for one in transforms or ()]
    return any(name != "Resample" for name in names)


def _not_an_object(place: str, fields: Any) -> Entry:
    return Entry(
        place, reason=f"not JSON: {fields}" if isinstance(fields, ValueError) else "not a JSON object"
    )


def _value(fields: Mapping[str, Any], key: str) -> Any:
    custom = fields.get("custom")
    return fields.get(key, custom.get(key) if isinstance(custom, Mapping) else None)


def _times(start: Any, seconds: Any, recording: Mapping[str, Any]) -> dict[str, Any]:
    """Return start and duration; nothing where they are those of the whole recording."""
    whole = recording.get("duration")
    known = isinstance(whole, int | float) and isinstance(seconds, int | float)
    if known and not start and seconds > 0 and abs(whole - seconds) <= ROUNDING_S:
        return {}
    return {"start": start or 0.0, "seconds": seconds}


def _files(place: str, recording: Mapping[str, Any], about: dict[str, Any], channel: Any) -> Iterator[Entry]:
    """Yield an entry for each file of a recording that holds one of the wanted channels."""
    sources = recording.get("sources")
    transforms = recording.get("transforms")
    if transforms and (not isinstance(transforms, list) or _changes_sound(transforms)):
        yield Entry(
            place, reason="its recording has transforms (such as another speed), which are not applied"
        )
        return
    if not isinstance(sources, list) or not sources:
        yield Entry(place, reason="a recording without sources")
        return
    wanted = {one for one in (channel if isinstance(channel, list) else [channel]) if isinstance(one, int)}
    for source in sources:
        if not isinstance(source, Mapping):
            yield Entry(place, reason="a source that is no JSON object")
            continue
        held = source.get("channels")
        held = sorted(c for c in held if isinstance(c, int)) if isinstance(held, list) else [0]
        chosen = [number for number in held if number in wanted] if wanted else held
        if wanted and not chosen:
            continue
        only = held.index(chosen[0]) if len(chosen) == 1 and len(held) > 1 else None
        if 1 < len(chosen) < len(held):
            yield Entry(place, source.get("source"), reason="several of its channels, but not all")
        elif source.get("type") not in ("file", "url"):
            kind = str(source.get("type"))
            reason = (
                "a command, which is never run"
                if kind == "command"
                else f"a source of type {kind}, not a file"
            )
            yield Entry(place, reason=reason)
        else:
            yield Entry(place, source.get("source"), channel=only, **about)


LHOTSE = Format("lhotse", read_file, read_folder)
