"""Workers of a Dask cluster: the same shards, converted on other machines.

The workers need wavecast of the same version, the recordings under the same paths, and the place of the
shards: a folder that all share, or an address such as `s3://bucket/prefix`.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.data.preparing.processes import AHEAD, Workers
from pipeline.data.preparing.shard import Shard, run_shard
from pipeline.errors import UserError, one_line, print_notice

SCHEME = "dask://"
CONNECT_SECONDS = 10
FIRST_WORKER_SECONDS = 600
"""Longest wait for the first worker, which a cloud or a batch system may have to start."""


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
        wait_for_worker(client, address)
        with_stored = client.scatter(stored, broadcast=True) if stored else b""
        waiting: deque[tuple[Shard, Any]] = deque()
        for shard in shards:
            waiting.append((shard, client.submit(run_shard, shard, with_stored, pure=False, key=_key(shard))))
            while len(waiting) > AHEAD * count_threads(client):
                yield _finished(*waiting.popleft(), stored)
        while waiting:
            yield _finished(*waiting.popleft(), stored)
    finally:
        client.close()


def _key(shard: Shard) -> tuple[str, ...]:
    return task_key("prepare", shard.name)


def task_key(work: str, of: str) -> tuple[str, ...]:
    """Return a new key for a task.

    Dask estimates the time of a task by others whose keys begin alike. Only so does an adaptive cluster start
    workers for trainings that wait while the first ones take hours.
    """
    from uuid import uuid4

    return f"wavecast-{work}", of, uuid4().hex[:8]


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
    """Return a client of the Dask scheduler at `dask://HOST:PORT`.

    Raises:
        UserError: `distributed` is not installed, or the scheduler cannot be reached.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            f"{address}: needs the extra `dask`: pip install 'wavecast[dask]'", exit_code=2
        ) from None
    for name in ("distributed", "distributed.client"):  # they log a lost scheduler with its traceback
        logging.getLogger(name).setLevel(logging.CRITICAL)
    place = address.removeprefix(SCHEME)
    try:
        return Client(f"tcp://{place}", timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as problem:
        reason = one_line(str(problem)) or type(problem).__name__
        raise UserError(f"{address}: no Dask scheduler answers there ({reason})") from None


def wait_for_worker(client: Any, address: str) -> None:
    """Wait until a cluster has a worker; an adaptive one starts the first when there is a task.

    Raises:
        UserError: there is no worker after `FIRST_WORKER_SECONDS`.
    """
    if client.nthreads():
        return
    from distributed.client import FutureCancelledError

    print_notice(f"{address}: waiting for the first worker of the Dask cluster")
    task = client.submit(int, key=task_key("wait", address), pure=False)
    try:
        task.result(FIRST_WORKER_SECONDS)
    except TimeoutError:
        raise UserError(f"{address}: the Dask scheduler has no workers") from None
    except FutureCancelledError:
        raise UserError(f"{address}: the Dask scheduler was lost") from None


def count_threads(client: Any) -> int:
    """Return the number of tasks that the workers of a cluster now run at the same time, at least 1."""
    try:
        threads: int = sum(client.nthreads().values())
    except OSError:  # of a scheduler that is away; the tasks tell whether it is lost
        return 1
    return max(1, threads)
