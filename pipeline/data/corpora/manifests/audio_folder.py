"""Hugging Face's AudioFolder: ``metadata.csv`` or ``.jsonl`` with a column ``file_name``.

The table is at the root or in each split's folder, and names are relative to it
(https://huggingface.co/docs/datasets/audio_dataset#audiofolder).
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.config.types import Split
from pipeline.data.corpora.manifests.columns import split_of
from pipeline.data.corpora.manifests.entry import Entry, Format, sources_of
from pipeline.data.corpora.manifests.json_records import entries_of, records_in
from pipeline.data.corpora.manifests.places import Places
from pipeline.data.corpora.manifests.tables import shape_of, table_entries
from pipeline.data.corpora.source import Source

NAMES = ("metadata.csv", "metadata.tsv", "metadata.jsonl")


def read_file(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return the recordings of a ``metadata`` file; None where it has no column ``file_name``."""
    if path.name not in NAMES:
        return None
    entries = _entries(path, speaker_column)
    if entries is None:
        return None
    folder = split_of(path.parent.name)
    given = (entry if entry.split else replace(entry, split=_split(entry) or folder) for entry in entries)
    return sources_of(path, given, Places(path.parent, [path.parent]))


def _entries(path: Path, speaker_column: str | None) -> Iterable[Entry] | None:
    if path.suffix == ".jsonl":
        records = list(records_in(path) or ())
        if not any(isinstance(fields, dict) and "file_name" in fields for _, fields in records[:20]):
            return None
        return [
            entry for place, fields in records for entry in entries_of(place, fields, None, speaker_column)
        ]
    shape = shape_of(path)
    if shape is None or "file_name" not in shape.names:
        return None
    return table_entries(path, shape, speaker_column)


def _split(entry: Entry) -> Split | None:
    """Return the split that the first folder of the file's name names."""
    parts = Path(entry.file).parts if isinstance(entry.file, str) else ()
    return split_of(parts[0]) if len(parts) > 1 else None


def read_folder(folder: Path) -> list[Source] | None:
    """Return the recordings of the table at the root, or of those in the folders of the splits."""
    found = [path for name in NAMES if (path := folder / name).is_file()]
    if not found:
        found = sorted(
            path
            for name in NAMES
            for path in (*folder.glob(f"*/{name}"), *folder.glob(f"data/*/{name}"))
            if split_of(path.parent.name)
        )
    read = [read_file(path) for path in found]
    return [source for sources in read if sources for source in sources] or None


AUDIO_FOLDER = Format("AudioFolder", read_file, read_folder)
