"""One training in several processes of this machine, started by the launcher of `torchrun`.

If one of them ends, the launcher ends the others. The training can be resumed, with any number of processes.
"""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.data.preparing.execution import usable_processors
from pipeline.errors import TrainingInterrupted
from pipeline.training.processes.child import THREAD_VARIABLES

ADDRESS = "127.0.0.1"
LOOPBACK = Path("/sys/class/net/lo")


def train_in_ranks(run: Path, ranks: int, threads: int | None = None) -> None:
    """Train a run in several processes of this machine, each with a share of the sequences.

    Args:
        run: the run folder.
        ranks: number of processes.
        threads: processor threads of each; None divides the processors among them.

    Raises:
        TrainingInterrupted: a process was killed.
        SystemExit: a process failed; its message is on standard error, and its exit code is that of this.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL + 1)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=ranks,
        run_id=f"wavecast-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint=f"{ADDRESS}:0",
        local_addr=ADDRESS,
        max_restarts=0,
        signals_to_handle="SIGTERM,SIGINT",
    )
    share = max(1, usable_processors() // ranks) if threads is None else threads
    try:
        with _environment(share):
            elastic_launch(config, sys.executable)("-m", "pipeline.training", str(run), "--ranks")
    except ChildFailedError as problem:
        rank, failure = _cause(problem)
        if failure.exitcode >= 0:
            sys.exit(failure.exitcode)
        name = signal.Signals(-failure.exitcode).name
        raise TrainingInterrupted(
            f"{run}: rank {rank} was ended by {name}, and so the training; repeat the command to resume it"
        ) from None
    except SignalException as problem:
        if problem.sigval == signal.SIGINT:
            raise KeyboardInterrupt from None
        sys.exit(128 + problem.sigval)


def _cause(problem: Any) -> tuple[int, Any]:
    """Return the rank that failed first, and how; those that the launcher ended itself come last."""
    ended_by_launcher = -signal.SIGTERM
    failures = sorted(
        problem.failures.items(),
        key=lambda item: (item[1].exitcode == ended_by_launcher, item[1].timestamp, item[0]),
    )
    rank, failure = failures[0]
    return int(rank), failure


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Set the variables that the processes inherit, and restore them at the end."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    if LOOPBACK.exists():
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK.name)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
