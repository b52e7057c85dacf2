"""Worker processes on this machine; one that is ended by the system is replaced.

A shard whose worker died is tried again, then tried alone, in case memory was short. The file at which the
worker died each time is then rejected, and the rest of the shard is converted.
"""

import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

from pipeline.data.preparing.shard import Shard
from pipeline.errors import UserError

MOST_DEATHS = 3
"""A worker may die this often at the same file; the last time no other worker runs."""

AHEAD = 4
"""Shards for each worker that may be finished or under way before their turn."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


class WorkerDied(Exception):
    """A worker process ended within a shard, at the item of this position; -1 before the first one."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class Worker:
    """One worker process."""

    def __init__(self, stored: bytes) -> None:
        self._position = tempfile.NamedTemporaryFile(prefix="wavecast-worker-")  # noqa: SIM115
        self._position.write(bytes(8))
        self._position.flush()
        command = [sys.executable, "-m", "pipeline.data.preparing.worker", self._position.name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ONE_THREAD}
        )
        self._started = False
        self._stored = stored

    def run(self, shard: Shard) -> None:
        """Convert a shard; raises what the worker raised, or `WorkerDied`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        os.pwrite(self._position.fileno(), (2**63 - 1).to_bytes(8, "little"), 0)
        try:
            if not self._started:
                pickle.dump(self._stored, self.process.stdin)
                self._started = True
            pickle.dump(shard, self.process.stdin)
            self.process.stdin.flush()
            problem = pickle.load(self.process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            self.close()
            number = int.from_bytes(os.pread(self._position.fileno(), 8, 0), "little")
            raise WorkerDied(-1 if number == 2**63 - 1 else number) from None
        if problem is not None:
            raise problem

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()


class Workers:
    """A number of worker processes, started when they are first needed."""

    def __init__(self, count: int, stored: bytes) -> None:
        self._count = count
        self._stored = stored
        self._idle: list[Worker] = []
        self._all: list[Worker] = []
        self._turns = threading.Semaphore(count)
        self._lock, self._alone = threading.Lock(), threading.Lock()
        self._closed = False

    def run_in_order(self, shards: Iterable[Shard]) -> Iterator[Shard]:
        """Convert shards, and yield each in turn when its files are complete."""
        waiting: deque[tuple[Shard, Future[None]]] = deque()
        with ThreadPoolExecutor(self._count) as pool:
            try:
                for shard in shards:
                    waiting.append((shard, pool.submit(self.run, shard)))
                    if len(waiting) > AHEAD * self._count:
                        yield _finished(*waiting.popleft())
                while waiting:
                    yield _finished(*waiting.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                self.close()

    def run(self, shard: Shard) -> None:
        """Convert one shard in one of the processes, whatever becomes of the process."""
        deaths: Counter[int] = Counter()
        while True:
            try:
                with self._turn(alone=max(deaths.values(), default=0) == MOST_DEATHS - 1):
                    self._run_once(shard)
                return
            except WorkerDied as death:
                if self._closed:
                    raise
                deaths[death.position] += 1
                if deaths[death.position] == MOST_DEATHS:
                    if death.position < 0:
                        raise UserError("worker processes end before they read a recording") from None
                    shard = replace(shard, crashing=(*shard.crashing, death.position))
                    deaths.clear()

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            for worker in self._all:
                worker.process.kill()

    def _run_once(self, shard: Shard) -> None:
        with self._lock:
            if self._closed:
                raise WorkerDied(-1)
            if not self._idle:
                self._idle.append(Worker(self._stored))
                self._all.append(self._idle[-1])
            worker = self._idle.pop()
        try:
            worker.run(shard)
        except WorkerDied:
            with self._lock:
                self._all.remove(worker)
            raise
        except BaseException:
            self._idle.append(worker)
            raise
        self._idle.append(worker)

    @contextmanager
    def _turn(self, alone: bool) -> Iterator[None]:
        """Wait for a turn; ``alone``, wait until no other worker runs."""
        wanted = self._count if alone else 1
        if alone:
            with self._alone:
                for _ in range(wanted):
                    self._turns.acquire()
        else:
            self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release(wanted)


def _finished(shard: Shard, future: "Future[None]") -> Shard:
    future.result()
    return shard
