"""Which sources are to be converted, and how they are divided into shards.

The division follows from the whole list of sources and the sizes of their files, never from the number of
workers or from what is stored already. So an interrupted preparation meets its own shards again.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.common.places import Place, is_remote
from pipeline.common.places import stamp as stamp_of_place
from pipeline.config.inputs import InputConfig
from pipeline.data.corpora.source import Source
from pipeline.data.preparing.shard import Item, Shard, make_shard, reader_versions
from pipeline.data.preparing.shard_files import ShardFiles
from pipeline.data.store.catalogue import Catalogue, Rejection, Stamp
from pipeline.errors import RecordingRejected

SHARD_BYTES = 16 << 20
"""Bytes of recordings in a shard: about 15 minutes of speech at 16 kHz in FLAC."""

SHARD_SOURCES = 4_000
REQUESTS = 16
Stamps = dict[Place, Stamp]

CURABLE = "no-decoder", "unreadable", "missing", "not-fetched", "stalled", "crashed"
"""Rejections that the machine may cure without a change of the file; they are tried again every time."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive sources, and the shard of those among them that are to be converted.

    Attributes:
        sources: all sources of the stretch.
        stamps: of their files; empty for one that cannot be examined.
        shard: None where nothing is to be converted.
        positions: the position in ``sources`` of each item of the shard.
        bytes: size of the shard's files.
    """

    sources: list[Source]
    stamps: list[Stamp]
    shard: Shard | None
    positions: list[int]
    bytes: int


def plan(
    sources: list[Source], catalogue: Catalogue, config: InputConfig, files: ShardFiles, reread: bool
) -> Iterator[Stretch]:
    """Yield the stretches of a corpus in order; with ``reread`` every file is read again."""
    known = _remote_stamps(sources)
    for stretch in _stretches(sources, known):
        stamps = _stamps_of(stretch, known)
        pending = [
            position
            for position, (source, stamp) in enumerate(zip(stretch, stamps, strict=True))
            if reread or not (_stored(source, stamp, catalogue) or rejection_of(source, stamp, catalogue))
        ]
        items = tuple(
            Item(stretch[i], stamps[i], None if reread else known_hash(stretch[i], stamps[i], catalogue))
            for i in pending
        )
        size = sum(stamp[0] for stamp in {stretch[i].path: stamps[i] for i in pending}.values() if stamp)
        yield Stretch(stretch, stamps, make_shard(config, items, files) if items else None, pending, size)


def _stretches(sources: list[Source], known: Stamps) -> Iterator[list[Source]]:
    """Yield consecutive sources of about `SHARD_BYTES`; the parts of one file stay together."""
    stretch: list[Source] = []
    size = 0
    for source in sources:
        if not stretch or source.path != stretch[-1].path:
            stamp = known[source.path] if source.path in known else stamp_of(source)
            more = stamp[0] if stamp else 0
            if stretch and (size + more > SHARD_BYTES or len(stretch) >= SHARD_SOURCES):
                yield stretch
                stretch, size = [], 0
            size += more
        stretch.append(source)
    if stretch:
        yield stretch


def stamp_of(source: Source) -> Stamp:
    """Return size, modification time, change time (ns) and inode of a source's file.

    The change time moves with every write, also where the modification time is set back afterwards. Empty
    where the file cannot be examined: it is then read every time. A remote file has its size, and a number
    from its entity tag and modification time.
    """
    try:
        return stamp_of_place(source.path)
    except (OSError, ValueError, RecordingRejected):
        return ()


def _remote_stamps(sources: list[Source]) -> Stamps:
    """Return the stamps of remote files; a server is asked for several at the same time."""
    remote = {source.path: source for source in sources if is_remote(source.path)}
    if not remote:
        return {}
    with ThreadPoolExecutor(REQUESTS) as pool:
        return dict(zip(remote, pool.map(stamp_of, remote.values()), strict=True))


def _stamps_of(sources: list[Source], known: Stamps) -> list[Stamp]:
    """Return the stamps of sources; the parts of one file share one."""
    stamps: Stamps = {}
    for source in sources:
        if source.path not in stamps:
            stamps[source.path] = known[source.path] if source.path in known else stamp_of(source)
    return [stamps[source.path] for source in sources]


def known_hash(source: Source, stamp: Stamp, catalogue: Catalogue) -> str | None:
    """Return the hash of an unchanged file's bytes, None where they must be read."""
    seen = catalogue.seen.get(str(source.path))
    return seen[1] if seen and stamp and seen[0] == stamp else None


def _stored(source: Source, stamp: Stamp, catalogue: Catalogue) -> bool:
    found = known_hash(source, stamp, catalogue)
    return found is not None and source.key(found) in catalogue.stored


def rejection_of(source: Source, stamp: Stamp, catalogue: Catalogue) -> Rejection | None:
    """Return why an unchanged source was rejected before by the present readers, None otherwise."""
    found = catalogue.rejected.get(source.label)
    same = found is not None and bool(stamp) and found.stamp == stamp and found.readers == reader_versions()
    return found if same else None
