"""The choice between this process, worker processes and a cluster for the shards of a preparation."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator

from pipeline.config.preparation import PreparationConfig
from pipeline.data.preparing.cluster import SCHEME, run_on_cluster
from pipeline.data.preparing.planning import Stretch
from pipeline.data.preparing.processes import Workers
from pipeline.data.preparing.shard import Shard, run_shard

SMALL_BYTES = 64 << 20
"""Recordings of less than this are converted in this process: worker processes would take longer to start."""


def finished_stretches(
    stretches: list[Stretch],
    config: PreparationConfig,
    stored: bytes,
    on_source: Callable[[int], None],
) -> Generator[Stretch, None, None]:
    """Yield all stretches in order, each when the files of its shard are complete.

    Args:
        stretches: see `planning.plan`.
        config: how many workers, and where.
        stored: what the store has already, see `shard.hashes_of_keys`.
        on_source: called with the number of sources that are done, within a shard that this process converts.
    """
    pending = [stretch for stretch in stretches if stretch.shard]
    shards: Iterable[Shard] = (stretch.shard for stretch in pending if stretch.shard)
    workers = config.workers or usable_processors()
    if isinstance(workers, str):
        assert workers.startswith(SCHEME)
        done = run_on_cluster(shards, workers, stored) if pending else iter(())
    elif workers == 1 or len(pending) < 2 or sum(stretch.bytes for stretch in pending) < SMALL_BYTES:
        done = _run_here(shards, stored, on_source)
    else:
        done = Workers(min(workers, len(pending)), stored).run_in_order(shards)
    for stretch in stretches:
        if stretch.shard:
            next(done)
        yield stretch
    for _ in done:  # lets the generator end its workers
        raise AssertionError("more shards than stretches")


def usable_processors() -> int:
    """Return the number of processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run_here(shards: Iterable[Shard], stored: bytes, on_source: Callable[[int], None]) -> Iterator[Shard]:
    for shard in shards:
        run_shard(shard, stored, on_source)
        yield shard
