"""Parquet files with embedded sound, as Hugging Face's data sets have: a column of ``{bytes, path}``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.types import Split
from pipeline.data.corpora.manifests import columns
from pipeline.data.corpora.manifests.entry import Entry, Format, sources_of, speaker_name
from pipeline.data.corpora.manifests.places import Places
from pipeline.data.corpora.source import Source
from pipeline.errors import UserError


@dataclass(frozen=True)
class SoundColumn:
    """A column whose rows hold the bytes of a sound file.

    Attributes:
        name: of the column.
        in_struct: whether it is a struct with the field ``bytes``.
    """

    name: str
    in_struct: bool

    @property
    def path(self) -> str:
        """The column's path, as pyarrow selects it."""
        return f"{self.name}.bytes" if self.in_struct else self.name

    def values(self, batch: Any) -> Iterator[bytes | None]:
        """Yield the bytes of each row of a batch that holds this column; None for a row without sound."""
        for value in batch.column(self.name):
            held = value.as_py()
            yield (held or {}).get("bytes") if self.in_struct else held


def sound_column(schema: Any) -> SoundColumn | None:
    """Return the column with embedded sound; None where there is none."""
    from pyarrow import types

    def binary(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    for field in schema:
        if types.is_struct(field.type):
            inner = {part.name: part.type for part in field.type}
            if "bytes" in inner and binary(inner["bytes"]) and not field.name.startswith("image"):
                return SoundColumn(field.name, True)
    names = [field.name for field in schema if binary(field.type)]
    chosen = columns.named(names, [*columns.FILE, "bytes", "audio_bytes", "content"])
    return None if chosen is None else SoundColumn(chosen, False)


def read_file(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return a source for each row; None where the file is not parquet or its columns hold no sound."""
    if not _is_parquet(path):
        return None
    import pyarrow
    from pyarrow import parquet

    try:
        with path.open("rb") as opened:
            return _sources(path, parquet.ParquetFile(opened), speaker_column)
    except (OSError, ValueError, pyarrow.ArrowException) as problem:
        reason = str(problem).partition("\n")[0]
        raise UserError(f"{path}: not a readable parquet file ({reason})") from None


def read_folder(folder: Path) -> list[Source] | None:
    """Return the rows of all shards in a folder, in its ``data/``, or in the folders of its splits."""
    shards = sorted(folder.glob("*.parquet")) or sorted(folder.glob("data/*.parquet"))
    shards = shards or sorted(
        path for path in folder.glob("*/*.parquet") if columns.split_of(path.parent.name)
    )
    read = [read_file(path) for path in shards]
    return [source for sources in read if sources for source in sources] or None


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False


def _sources(path: Path, table: Any, speaker_column: str | None) -> list[Source] | None:
    schema = table.schema_arrow
    column = sound_column(schema)
    names = [name for name in schema.names if column is None or name != column.name]
    if speaker_column is not None and speaker_column not in names:
        raise UserError(f"{path}: no column {speaker_column!r}; its columns are: {', '.join(schema.names)}")
    file = columns.named(names, columns.FILE)
    if column is None and file is None:
        return None
    speaker = speaker_column or columns.named(names, columns.SPEAKER)
    split = columns.named(names, columns.SPLIT)
    chosen = {"speaker": speaker, "split": split, "name": columns.named(names, columns.NAME), "file": file}
    if column is None:
        times = {"start": columns.START, "end": columns.END, "seconds": columns.DURATION}
        chosen |= {key: columns.named(names, usual) for key, usual in times.items()}
    wanted = [name for name in chosen.values() if name]
    if (
        column is not None
        and column.in_struct
        and "path" in {part.name for part in schema.field(column.name).type}
    ):
        wanted.append(f"{column.name}.path")
    rows = _rows(table, wanted, chosen, column)
    published = _split_of(path)
    if column is None:
        entries = (
            Entry(f"row {row}", **{**fields, "split": _one_of(fields, published)}) for row, fields in rows
        )
        return sources_of(path, entries, Places(path.parent))
    return [
        Source(
            path.absolute(),
            speaker_name(fields.get("speaker")) or None,
            _one_of(fields, published),
            row=row,
            name=f"{row}-{Path(str(fields.get('inner') or fields.get('name') or 'row')).name}",
        )
        for row, fields in rows
    ]


def _rows(
    table: Any, wanted: list[str], chosen: dict[str, str | None], column: SoundColumn | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and chosen fields of each row; the sound itself is not read."""
    if not wanted:
        yield from ((row, {}) for row in range(table.metadata.num_rows))
        return
    row = 0
    for batch in table.iter_batches(1 << 12, columns=wanted):
        for values in batch.to_pylist():
            fields = {key: values.get(name) for key, name in chosen.items() if name}
            if column is not None:
                fields["inner"] = (values.get(column.name) or {}).get("path") if column.in_struct else None
            yield row, fields
            row += 1


def _one_of(fields: dict[str, Any], published: Split | None) -> Split | None:
    written = fields.get("split")
    return (columns.split_of(written) if isinstance(written, str) else None) or published


def _split_of(path: Path) -> Split | None:
    """Return the split of a shard such as ``train-00000-of-00002.parquet`` or ``train/0000.parquet``."""
    return columns.split_of(path.name) or (
        columns.split_of(path.parent.name) if path.stem.isdigit() else None
    )


PARQUET = Format("parquet", read_file, read_folder)
