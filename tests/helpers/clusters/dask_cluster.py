"""A Dask cluster of this machine: a scheduler and worker processes, started as a user starts them."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.tracked_runs import free_port

PROGRAM = [sys.executable, "-m"]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
ADAPTIVE = """
import sys, time
from distributed import LocalCluster

if __name__ == "__main__":  # its workers import this module
    host, port = sys.argv[1].split(":")
    with LocalCluster(
        n_workers=0, threads_per_worker=1, host=host, scheduler_port=int(port), dashboard_address=None
    ) as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="500ms")
        time.sleep(3600)
"""


@dataclass(frozen=True)
class Cluster:
    """The address HOST:PORT of the scheduler, its process, and that of each worker."""

    address: str
    scheduler: "subprocess.Popen[bytes]"
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def pids(self) -> list[int]:
        """The processes of the workers."""
        return [worker.pid for worker in self.workers]

    def add_worker(self, *options: str) -> None:
        """Start one more worker, with further options of `dask worker`."""
        worker = ["distributed.cli.dask_worker", f"tcp://{self.address}", "--nthreads", "1", "--no-dashboard"]
        self.workers.append(subprocess.Popen([*PROGRAM, *worker, *options], **QUIET))


@contextmanager
def local_cluster(workers: int = 2) -> Iterator[Cluster]:
    """Start a cluster, and end its processes behind the block."""
    port = str(free_port())
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    cluster = Cluster(f"127.0.0.1:{port}", subprocess.Popen([*PROGRAM, *scheduler], **QUIET))
    try:
        wait_for(cluster.address)
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        end([cluster.scheduler, *cluster.workers])


@contextmanager
def adaptive_cluster(folder: Path) -> Iterator[str]:
    """Start a cluster that has up to two workers while there is work, and none before; yield its address."""
    address, script = f"127.0.0.1:{free_port()}", folder / "adaptive_cluster.py"
    script.write_text(ADAPTIVE)
    process = subprocess.Popen([sys.executable, str(script), address], **QUIET)
    try:
        wait_for(address)
        yield address
    finally:
        end([process])


def end(processes: list["subprocess.Popen[bytes]"]) -> None:
    """Terminate processes, and wait for their end."""
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
