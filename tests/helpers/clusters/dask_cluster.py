"""A Dask cluster of this machine: a scheduler and worker processes, started as a user starts them."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Cluster:
    """The address HOST:PORT of the scheduler, and the process of each worker."""

    address: str
    workers: list["subprocess.Popen[bytes]"]

    @property
    def pids(self) -> list[int]:
        """The processes of the workers."""
        return [worker.pid for worker in self.workers]


@contextmanager
def local_cluster(workers: int = 2) -> Iterator[Cluster]:
    """Start a cluster, and end its processes behind the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    program = [sys.executable, "-m", "distributed.cli"]
    port = address.rpartition(":")[2]
    scheduler = [f"{program[2]}.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = [f"{program[2]}.dask_worker", f"tcp://{address}", "--nthreads", "1", "--no-dashboard"]
    processes = [subprocess.Popen([*program[:2], *scheduler], **quiet)]
    try:
        wait_for(address)
        processes += [subprocess.Popen([*program[:2], *worker], **quiet) for _ in range(workers)]
        yield Cluster(address, processes[1:])
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def wait_for(address: str, seconds: float = 60) -> None:
    """Wait until a server listens at HOST:PORT."""
    host, port = address.rsplit(":", 1)
    ends = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            assert time.monotonic() < ends, f"no server at {address}"
            time.sleep(0.1)
