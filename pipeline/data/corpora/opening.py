"""Opening of the sound of a source, wherever it lies and whatever part of a file it is."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.audio.decode import Decoding, open_decoding
from pipeline.audio.excerpt import Excerpt, ExcerptReader
from pipeline.audio.reader import AudioInfo, Note, OpenRecording
from pipeline.audio.readers import open_recording
from pipeline.common.places import local_copy, stamp
from pipeline.data.corpora.copies import Copies
from pipeline.data.corpora.source import Source
from pipeline.errors import RecordingRejected

GROUPED_ROWS = 32
_COPIES = Copies()
_COPIED: dict[object, tuple[AudioInfo, tuple[Note, ...]]] = {}
"""Facts of the files that were copied, whose headers are not checked again for each segment."""


@contextmanager
def open_source(source: Source) -> Iterator[Decoding]:
    """Open the recording that ``source`` names: a file, a segment of one, or a row of a parquet file.

    Raises:
        RecordingRejected: it cannot be used.
    """
    if source.reason is not None:
        raise RecordingRejected("manifest", source.reason)
    with fetched(source) as local, _file_of(local) as path:
        if source.channel is None and not source.start_seconds and source.seconds is None:
            with open_decoding(path) as recording:
                yield recording
        else:
            excerpt = Excerpt(source.start_seconds, source.seconds, source.channel)
            with _open_part(path, excerpt) as recording:
                yield recording


@contextmanager
def fetched(source: Source) -> Iterator[Source]:
    """Yield the source with a file of this machine: itself, or with a temporary copy of its remote file.

    The copy of a file whose parts are sources is kept for the next of them.

    Raises:
        RecordingRejected: the remote file is missing or could not be fetched.
    """
    place = source.path
    if isinstance(place, Path):
        yield source
    elif source.whole:
        with local_copy(place) as path:
            yield replace(source, path=path)
    else:

        def copy(folder: Path) -> None:
            with local_copy(place) as path:
                shutil.move(path, folder / path.name)

        with _COPIES.folder((str(place), stamp(place)), copy) as folder:
            yield replace(source, path=next(folder.iterdir()))


@contextmanager
def _open_part(path: Path, excerpt: Excerpt) -> Iterator[Decoding]:
    """Open a part by a seek, or from a decoded copy where the file allows no exact seek."""
    try:
        key = _identity(path)
    except (OSError, ValueError):
        key = None  # the reader gives the reason
    if key not in _COPIED:
        with open_recording(path) as reader:
            if key is None or reader.seekable or not excerpt.start_seconds:
                yield Decoding(ExcerptReader(reader, excerpt))
                return
            _COPIED[key] = reader.info, reader.notes
    info, notes = _COPIED[key]
    with (
        _COPIES.folder(key, lambda folder: _decode_to(path, folder)) as folder,
        open_recording(folder / "decoded.w64") as decoded,
    ):
        yield Decoding(ExcerptReader(_AsOriginal(decoded, info, notes), excerpt))


class _AsOriginal:
    """A decoded copy with the facts of the file that it was decoded from."""

    holds_int16 = False
    holds_float64 = False
    seekable = True

    def __init__(self, copy: OpenRecording, info: AudioInfo, notes: tuple[Note, ...]) -> None:
        self.info = AudioInfo(
            info.sample_rate, info.channels, copy.info.frames, info.container, info.encoding, info.decoder
        )
        self.notes = notes
        self.blocks, self.skip = copy.blocks, copy.skip


def _decode_to(path: Path, folder: Path) -> None:
    """Decode a whole file to 32-bit floats, the values that its own reader gives."""
    import soundfile

    with open_recording(path) as reader:
        info = reader.info
        copy = folder / "decoded.w64"
        with soundfile.SoundFile(
            copy, "w", info.sample_rate, info.channels, subtype="FLOAT", format="W64"
        ) as file:
            for block in reader.blocks("float32"):
                file.write(block)


def _identity(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


@contextmanager
def _file_of(source: Source) -> Iterator[Path]:
    """Yield the file with the sound: the source's own, or a copy of a row's bytes."""
    path = source.here
    if source.row is None:
        yield path
        return
    import pyarrow
    from pyarrow import parquet

    row = source.row
    try:
        with path.open("rb") as file:
            table = parquet.ParquetFile(file)
            group, first = _row_group(table, row)
    except FileNotFoundError:
        raise RecordingRejected("missing", "no such file") from None
    except (OSError, ValueError, pyarrow.ArrowException) as problem:
        raise RecordingRejected("damaged", f"not a readable parquet file ({_first_line(problem)})") from None
    key = (*_identity(path), group)
    with _COPIES.folder(key, lambda folder: _unpack_rows(path, group, folder)) as folder:
        copy = folder / f"{row - first}"
        if not copy.exists():
            raise RecordingRejected("missing", f"row {row} holds no sound")
        yield copy


def _row_group(table: Any, row: int) -> tuple[int, int]:
    """Return the row group that a row is in, and the group's first row."""
    metadata = table.metadata
    first = 0
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if row < first + count:
            return group, first
        first += count
    raise RecordingRejected("missing", f"row {row} is asked for, the file has {first}")


def _unpack_rows(path: Path, group: int, folder: Path) -> None:
    """Write the sound in each row of a row group to a file of its own, few rows in memory at a time."""
    import pyarrow
    from pyarrow import parquet

    from pipeline.data.corpora.manifests.parquet import sound_column

    try:
        with path.open("rb") as file:
            table = parquet.ParquetFile(file)
            column = sound_column(table.schema_arrow)
            if column is None:
                raise RecordingRejected("not-sound", "no column with embedded sound")
            number = 0
            for batch in table.iter_batches(GROUPED_ROWS, row_groups=[group], columns=[column.path]):
                for value in column.values(batch):
                    if value is not None:
                        (folder / f"{number}").write_bytes(value)
                    number += 1
    except (ValueError, pyarrow.ArrowException) as problem:
        reason = f"damaged: its rows cannot be read ({_first_line(problem)})"
        raise RecordingRejected("damaged", reason) from None


def _first_line(problem: BaseException) -> str:
    return str(problem).partition("\n")[0]
