"""Workers of a Dask cluster: the same shards, converted on other machines.

The workers need wavecast of the same version, the recordings under the same paths, and the place of the
shards: a folder that all share, or an address such as `s3://bucket/prefix`.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.data.preparing.processes import AHEAD, Workers
from pipeline.data.preparing.shard import Shard, run_shard
from pipeline.errors import UserError, one_line

SCHEME = "dask://"
CONNECT_SECONDS = 10
FIRST_WORKER_SECONDS = 60


def run_on_cluster(shards: Iterable[Shard], address: str, stored: bytes) -> Iterator[Shard]:
    """Convert shards on a cluster, and yield each in turn when its files are complete.

    Args:
        shards: the tasks.
        address: `dask://HOST:PORT` of the scheduler.
        stored: what the store has already.

    Raises:
        UserError: `distributed` is not installed, or the scheduler or its workers cannot be reached.
    """
    client = connect_to_cluster(address)
    try:
        with_stored = client.scatter(stored, broadcast=True) if stored else b""
        most = AHEAD * max(1, sum(client.nthreads().values()))
        waiting: deque[tuple[Shard, Any]] = deque()
        for shard in shards:
            waiting.append((shard, client.submit(run_shard, shard, with_stored, pure=False, key=_key(shard))))
            if len(waiting) > most:
                yield _finished(*waiting.popleft(), stored)
        while waiting:
            yield _finished(*waiting.popleft(), stored)
    finally:
        client.close()


def _key(shard: Shard) -> str:
    from uuid import uuid4

    return f"prepare-{shard.name}-{uuid4().hex[:8]}"


def _finished(shard: Shard, future: Any, stored: bytes) -> Shard:
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        future.result()
    except KilledWorker:
        # A process of this machine finds the recording that ends the one which reads it.
        workers = Workers(1, stored)
        try:
            workers.run(shard)
        finally:
            workers.close()
    except FutureCancelledError:
        raise UserError("the Dask scheduler was lost; repeat the command to resume the preparation") from None
    return shard


def connect_to_cluster(address: str) -> Any:
    """Return a client of the Dask scheduler at `dask://HOST:PORT`, which has at least one worker.

    Raises:
        UserError: `distributed` is not installed, or the scheduler or its workers cannot be reached.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            f"{address}: needs the extra `dask`: pip install 'wavecast[dask]'", exit_code=2
        ) from None
    place = address.removeprefix(SCHEME)
    try:
        client = Client(f"tcp://{place}", timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as problem:
        reason = one_line(str(problem)) or type(problem).__name__
        raise UserError(f"{address}: no Dask scheduler answers there ({reason})") from None
    try:
        client.wait_for_workers(1, timeout=FIRST_WORKER_SECONDS)
    except TimeoutError:
        client.close()
        raise UserError(f"{address}: the Dask scheduler has no workers") from None
    return client
