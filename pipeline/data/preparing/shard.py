"""A shard: the sources of some minutes, which one worker converts to one file of rows and a description.

What a shard contains follows from its sources alone. Who converts it, when, and beside how many others does
not change a byte of it.
"""

import base64
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import numpy as np
import xxhash

from pipeline.common.hashing import digest_json
from pipeline.config.inputs import InputConfig
from pipeline.data.corpora.source import Source
from pipeline.data.preparing.conversion import Converted, convert
from pipeline.data.preparing.shard_files import ShardFiles
from pipeline.data.store.catalogue import Stamp
from pipeline.data.store.rows import WrittenRows, write_rows
from pipeline.errors import RecordingRejected, UserError
from pipeline.features.representation import Representation
from pipeline.features.representations import representation_of

SHARD_VERSION = 1
"""Raise it when the description of a shard changes."""


@dataclass(frozen=True)
class Item:
    """One source of a shard: the file's stamp, and the hash of its bytes where that is known."""

    source: Source
    stamp: Stamp
    known_hash: str | None = None


@dataclass(frozen=True)
class Shard:
    """The task of a worker; it can be sent to another process or machine.

    Attributes:
        name: of its files; it follows from the sources, their state and the settings.
        input: what rows are made.
        items: the sources.
        files: where the result is written.
        readers: what the worker must have; see `reader_versions`.
        crashing: positions of items that ended the process which read them.
    """

    name: str
    input: InputConfig
    items: tuple[Item, ...]
    files: ShardFiles
    readers: str
    crashing: tuple[int, ...] = ()


def make_shard(config: InputConfig, items: tuple[Item, ...], files: ShardFiles) -> Shard:
    """Return the shard of these sources."""
    of_items = [(item.source.label, item.source.part, item.stamp) for item in items]
    readers = reader_versions()
    identity = [SHARD_VERSION, readers, config.model_dump(mode="json"), of_items]
    return Shard(digest_json(identity)[:24], config, items, files, readers)


def run_shard(
    shard: Shard, stored: bytes = b"", on_item: Callable[[int], None] = lambda position: None
) -> None:
    """Convert a shard, unless its files are there already.

    Args:
        shard: the sources.
        stored: what the store has already, see `hashes_of_keys`: these are hashed, not converted.
        on_item: called with the position of each source before it is opened.

    Raises:
        UserError: this process would read recordings differently from the one that made the shard.
        OSError: there is no space left.
    """
    if shard.readers != reader_versions():
        raise UserError(f"this worker has other versions ({reader_versions()}) than wanted ({shard.readers})")
    if shard.files.description(shard.name) is not None:
        return
    with tempfile.NamedTemporaryFile(
        dir=shard.files.scratch, prefix=".rows-", suffix=".part", delete=False
    ) as target:
        try:
            entries = _convert_items(shard, target, stored, on_item)
            target.flush()
            description = {"items": entries, "bytes": target.tell()}
            shard.files.write(shard.name, Path(target.name), description)
        finally:
            Path(target.name).unlink(missing_ok=True)


def _convert_items(
    shard: Shard, target: IO[bytes], stored: bytes, on_item: Callable[[int], None]
) -> list[dict[str, Any]]:
    representation = representation_of(shard.input)
    known = np.frombuffer(stored, np.uint64)
    written: set[str] = set()
    hashes: dict[str, str] = {}

    def is_stored(key: str) -> bool:
        position = int(np.searchsorted(known, found := key_hash(key)))
        return key in written or (position < len(known) and known[position] == found)

    entries = []
    for position, item in enumerate(shard.items):
        on_item(position)
        path = str(item.source.path)
        try:
            if position in shard.crashing:
                raise RecordingRejected("crashed", "the system ends each process that reads it")
            sound = representation.sound
            assert sound is not None
            converted = convert(item.source, sound, is_stored, item.known_hash or hashes.get(path))
        except RecordingRejected as rejection:
            entries.append({"code": rejection.code, "reason": str(rejection)})
            continue
        hashes[path] = converted.content_hash
        written.add(converted.key)
        entries.append(_entry(converted, target, representation))
    return entries


def _entry(converted: Converted, target: IO[bytes], representation: Representation) -> dict[str, Any]:
    """Write the rows of a converted source, and return its part of the description."""
    entry: dict[str, Any] = {"hash": converted.content_hash, "key": converted.key}
    if converted.rows is None:
        return entry
    begin = target.tell()
    with converted.rows as rows:
        written = write_rows(rows, target, representation.row_width, representation.row_dtype)
    return entry | {
        "audio_hash": converted.audio_hash,
        "begin": begin,
        "length": written.length,
        "checksum": written.checksum,
        "moments": base64.b64encode(written.moments.tobytes()).decode(),
        "facts": converted.facts,
    }


def written_rows(entry: dict[str, Any]) -> WrittenRows:
    """Return what an entry of a description states of its rows."""
    moments = np.frombuffer(base64.b64decode(entry["moments"]), np.float64).reshape(4, -1)
    return WrittenRows(entry["length"], moments, entry["checksum"])


def key_hash(key: str) -> np.uint64:
    """Return the 64 bits that stand for a content key."""
    return np.uint64(xxhash.xxh3_64_intdigest(key))


def hashes_of_keys(keys: Any) -> bytes:
    """Return the sorted 64-bit hashes of content keys, as bytes."""
    return np.sort(np.fromiter((key_hash(key) for key in keys), np.uint64)).tobytes()


@lru_cache
def reader_versions() -> str:
    """Return the versions of what reads recordings: a newer one may accept what an older one rejected."""
    import soundfile

    try:
        own = version("wavecast")
    except PackageNotFoundError:
        own = ""
    return f"{own} {soundfile.__version__} {soundfile.__libsndfile_version__}"
