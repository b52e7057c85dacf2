"""Tables of Common Voice: ``train.tsv``, ``dev.tsv``, ``test.tsv``, ``validated.tsv`` beside ``clips/``."""

from dataclasses import replace
from pathlib import Path

from pipeline.config.types import Split
from pipeline.data.corpora.manifests.entry import Format, sources_of
from pipeline.data.corpora.manifests.places import Places
from pipeline.data.corpora.manifests.tables import shape_of, table_entries
from pipeline.data.corpora.source import Source

PUBLISHED: dict[str, Split] = {"train.tsv": "train", "dev.tsv": "valid", "test.tsv": "test"}
ALL = "validated.tsv"


def read_file(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return the clips of a table; the name of a published split is their split."""
    shape = shape_of(path) if path.suffix.lower() == ".tsv" else None
    if shape is None or not {"client_id", "path"} <= set(shape.names):
        return None
    split = PUBLISHED.get(path.name)
    entries = (replace(entry, split=split) for entry in table_entries(path, shape, speaker_column))
    clips = path.parent / "clips"
    return sources_of(path, entries, Places(path.parent, [clips] if clips.is_dir() else []))


def read_folder(folder: Path) -> list[Source] | None:
    """Return the clips of a language's published splits, or those of ``validated.tsv`` without them."""
    if not (folder / "clips").is_dir():
        return None
    tables = [folder / name for name in PUBLISHED if (folder / name).is_file()]
    read = [read_file(table) for table in tables or [folder / ALL] if table.is_file()]
    return [source for sources in read if sources for source in sources] or None


COMMON_VOICE = Format("Common Voice", read_file, read_folder)
