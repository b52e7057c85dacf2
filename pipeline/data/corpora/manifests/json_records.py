"""Records in JSON: lines (NeMo), an array, or an object by identifier (SpeechBrain), with nested segments."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.data.corpora.manifests import columns
from pipeline.data.corpora.manifests.entry import Entry, Format, sources_of
from pipeline.data.corpora.manifests.places import Places
from pipeline.data.corpora.manifests.texts import head_of, json_in, json_of, lines_of
from pipeline.data.corpora.source import Source
from pipeline.errors import UserError

TRIED = 20
LISTS = (
    "audios",
    "data",
    "utterances",
    "items",
    "recordings",
    "samples",
)  # GigaSpeech, WenetSpeech and others
Record = tuple[str, Any]
"""Where a record stands, and the record, or a `ValueError` where it is not JSON."""


def read_file(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return the recordings of a JSON manifest; None where no early record names a file."""
    records = records_in(path)
    if records is None:
        return None
    early = list(itertools.islice(records, TRIED))
    if not any(_file(fields) for _, fields in early if isinstance(fields, Mapping)):
        return None
    objects = [fields for _, fields in early if isinstance(fields, Mapping)]
    if speaker_column is not None and not any(speaker_column in fields for fields in objects):
        keys = ", ".join(sorted({str(key) for fields in objects for key in fields}))
        raise UserError(f"{path}: no key {speaker_column!r}; the records have: {keys}")
    split = columns.published_split(path)
    entries = itertools.chain.from_iterable(
        entries_of(place, fields, split, speaker_column) for place, fields in itertools.chain(early, records)
    )
    return sources_of(path, entries, Places(path.parent))


def records_in(path: Path) -> Iterator[Record] | None:
    """Return the records of a file of JSON, one after the other; None where its beginning is no JSON."""
    head = (head_of(path) or "").lstrip()
    if not head.startswith(("{", "[")):
        return None
    if head.startswith("{") and _is_object(head.partition("\n")[0]):
        single = head.count("\n") < 2 and sum(1 for _ in itertools.islice(lines_of(path), 2)) == 1
        if not single or _file(json_of(head.partition("\n")[0])):
            return _of_lines(path)
    if path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        return _of_lines(path)
    if not path.name.lower().removesuffix(".gz").endswith(".json"):
        return None
    return _of_value(json_in(path))


def _is_object(line: str) -> bool:
    try:
        return isinstance(json_of(line), dict)
    except ValueError:
        return False


def _of_lines(path: Path) -> Iterator[Record]:
    for number, line in lines_of(path):
        try:
            yield f"line {number}", json_of(line)
        except ValueError as problem:
            yield f"line {number}", problem


def _of_value(value: Any) -> Iterator[Record]:
    if isinstance(value, dict):
        inner = next((value[key] for key in LISTS if isinstance(value.get(key), list | dict)), value)
        if isinstance(inner, dict):
            for key, fields in inner.items():
                yield f"record {key}", {"id": key, **fields} if isinstance(fields, dict) else fields
            return
        value = inner
    for number, fields in enumerate(value if isinstance(value, list) else (), 1):
        yield f"record {number}", fields


def entries_of(place: str, fields: Any, split: Any, speaker_column: str | None) -> Iterable[Entry]:
    """Yield the entries of a record: one, or one for each of its nested segments."""
    if isinstance(fields, ValueError):
        yield Entry(place, reason=f"not JSON: {fields}")
        return
    if not isinstance(fields, Mapping):
        yield Entry(place, reason="not a JSON object")
        return
    whole = _entry(place, fields, split, speaker_column)
    segments = fields.get("segments")
    if not isinstance(segments, list) or not any(isinstance(segment, Mapping) for segment in segments):
        yield whole
        return
    for number, segment in enumerate(segments, 1):
        if not isinstance(segment, Mapping):
            yield Entry(f"{place}, segment {number}", whole.file, reason="a segment that is no JSON object")
            continue
        part = {key: value for key, value in segment.items() if key not in columns.FILE}
        entry = _entry(
            f"{place}, segment {number}", {columns.FILE[0]: whole.file} | part, split, speaker_column
        )
        yield entry if entry.speaker not in (None, "N/A") else _with_speaker(entry, whole.speaker)


def _with_speaker(entry: Entry, speaker: Any) -> Entry:
    from dataclasses import replace

    return replace(entry, speaker=speaker)


def _entry(place: str, fields: Mapping[str, Any], split: Any, speaker_column: str | None) -> Entry:
    def value(names: list[str]) -> Any:
        key = columns.named(fields, names)
        return None if key is None else fields[key]

    own = value(columns.SPLIT)
    in_own = columns.split_of(own) if isinstance(own, str) else None
    file = _file(fields)
    speaker = fields.get(speaker_column) if speaker_column else value(columns.SPEAKER)
    audio = fields.get("wav", fields.get("audio"))
    if isinstance(audio, Mapping) and ("start" in audio or "stop" in audio):  # SpeechBrain's, in samples
        times = (audio.get("start"), None, audio.get("stop"))
        return Entry(place, file, speaker, in_own or split, fields.get("id"), *times, in_samples=True)
    start, end = value(columns.START), value(columns.END)
    return Entry(
        place, file, speaker, in_own or split, value(columns.NAME), start, value(columns.DURATION), end
    )


def _file(fields: Mapping[str, Any]) -> Any:
    for name in columns.FILE:
        value = fields.get(name)
        if isinstance(value, Mapping):
            value = next((value[key] for key in ("path", "file", "files") if key in value), None)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str) and value:
            return value
    return None


JSON_RECORDS = Format("JSON records (NeMo, SpeechBrain and others)", read_file)
