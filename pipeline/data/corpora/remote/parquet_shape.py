"""Remote parquet files without their sound: what is read to find recordings, speakers and splits."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.common.places import opened
from pipeline.data.corpora.manifests.parquet import SoundColumn, sound_column
from pipeline.errors import UserError

if TYPE_CHECKING:
    from upath import UPath

ROWS = 1 << 14


def write_shape(place: "UPath", target: Path) -> None:
    """Write a parquet file with the schema and the rows of a remote one, in which all sound is null.

    Only the footer and the other columns are read from the server.

    Raises:
        UserError: the remote file is not parquet, or cannot be read.
    """
    import pyarrow
    from pyarrow import parquet

    def write(file: Any) -> None:
        table = parquet.ParquetFile(file, pre_buffer=False)
        schema = table.schema_arrow
        sound = sound_column(schema)
        names = [path for name in schema.names for path in _without_sound(schema, name, sound)]
        with parquet.ParquetWriter(target, schema) as writer:
            for batch in table.iter_batches(ROWS, columns=names):
                columns = [_column(batch, field) for field in schema]
                writer.write_batch(pyarrow.record_batch(columns, schema=schema))
            if not names:
                nulls = [pyarrow.nulls(table.metadata.num_rows, field.type) for field in schema]
                writer.write_batch(pyarrow.record_batch(nulls, schema=schema))

    try:
        opened(place, write)
    except pyarrow.ArrowException as problem:
        reason = str(problem).partition("\n")[0]
        raise UserError(f"{place}: not a readable parquet file ({reason})") from None


def _without_sound(schema: Any, name: str, sound: SoundColumn | None) -> list[str]:
    """Return the paths of what is read of a column."""
    if sound is None or name != sound.name:
        return [name]
    parts = schema.field(name).type if sound.in_struct else ()
    return [f"{name}.{part.name}" for part in parts if part.name != "bytes"]


def _column(batch: Any, field: Any) -> Any:
    """Return a column of a batch in its type in the whole file, with nulls for what was not read."""
    import pyarrow

    if field.name not in batch.schema.names:
        return pyarrow.nulls(batch.num_rows, field.type)
    column = batch.column(field.name)
    if column.type == field.type:
        return column
    held = {part.name for part in column.type}
    parts = [
        column.field(part.name) if part.name in held else pyarrow.nulls(batch.num_rows, part.type)
        for part in field.type
    ]
    return pyarrow.StructArray.from_arrays(parts, fields=list(field.type))
