"""Trainings on the workers of a Dask cluster.

The workers need wavecast of the same version and the data folder under the same path. A worker trains in a
child process, which ends with the worker. Dask gives the training of a lost worker to another one, where it
resumes from its last checkpoint.
"""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.common.files import data_dir
from pipeline.data.preparing.cluster import connect_to_cluster, count_threads, task_key, wait_for_worker
from pipeline.errors import TrainingInterrupted, UserError, print_notice
from pipeline.training.processes.child import POLL_SECONDS, train_in_child

PASSED_ON = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
"""Variables of the environment that a training on a worker has as well."""
FREE_SECONDS = 60
"""Longest wait until the process of a lost worker has left its run."""


def await_cluster(address: str) -> None:
    """Wait until a cluster has a worker.

    Raises:
        UserError: the cluster cannot be reached, or has no workers.
    """
    client = connect_to_cluster(address)
    try:
        wait_for_worker(client, address)
    finally:
        client.close()


def count_cluster_threads(address: str) -> int:
    """Return how many trainings the workers of a cluster now run at the same time, at least 1.

    Raises:
        UserError: the cluster cannot be reached.
    """
    client = connect_to_cluster(address)
    try:
        return count_threads(client)
    finally:
        client.close()


def train_on_cluster(
    runs: Sequence[Path], address: str, threads: int | None, observe: Callable[[], None]
) -> None:
    """Train runs in one process of a cluster's worker, and wait for its end.

    Args:
        runs: the run folders, under these paths on every worker.
        address: `dask://HOST:PORT` of the scheduler.
        threads: processor threads of the training; None leaves those of the worker.
        observe: called every two seconds; an exception that it raises ends the training.

    Raises:
        UserError: the training failed, or the cluster cannot be used.
        TrainingInterrupted: the workers that trained the run, or the scheduler, were lost.
    """
    client = connect_to_cluster(address)
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    variables["WAVECAST_DATA"] = str(data_dir().absolute())
    run = runs[0]
    key, paths = task_key("train", run.name), [str(each.absolute()) for each in runs]
    task = client.submit(train_on_worker, paths, threads, variables, key=key, pure=False)
    warned = False
    try:
        while not task.done():
            observe()
            with suppress(OSError):  # of a scheduler that is away; the task tells whether it is lost
                if not warned and not client.nthreads():
                    warned = True
                    print_notice(f"{run.name}: waits until the Dask cluster has a worker again")
            with suppress(TimeoutError):
                task.result(POLL_SECONDS)
        observe()
        task.result()
    except KilledWorker:
        raise TrainingInterrupted(
            f"{run}: the workers that trained it were lost; repeat the command"
        ) from None
    except FutureCancelledError:
        raise TrainingInterrupted(f"{run}: the Dask scheduler was lost; repeat it") from None
    finally:
        with suppress(Exception):  # of a scheduler that is lost
            task.cancel(force=True)
        client.close()


def train_on_worker(runs: Sequence[str], threads: int | None, variables: dict[str, str]) -> None:
    """Train runs in one child process of this worker.

    Args:
        runs: paths of the run folders.
        threads: processor threads of the child.
        variables: the child's environment, beside that of the worker.

    Raises:
        UserError: the worker does not have a run folder, or the training failed.
        TrainingInterrupted: the child was killed.
    """
    folders = [Path(run) for run in runs]
    for folder in folders:
        if not (folder / "run.json").exists():
            raise UserError(
                f"{folder}: the Dask worker on {socket.gethostname()} does not have this folder; "
                "all workers need the data folder under the same path"
            )
        _wait_until_free(folder)
    train_in_child(folders, _end_if_cancelled, threads, among_others=True, environment=variables)


def _wait_until_free(folder: Path) -> None:
    """Wait until the process of a lost worker, which ends by itself, has released the run."""
    with suppress(Timeout), FileLock(folder / ".training.lock", timeout=FREE_SECONDS):
        return


def _end_if_cancelled() -> None:
    """Raise an exception if this worker ends, or the cluster no longer wants the task of this thread."""
    from distributed import Status, get_worker

    worker = get_worker()
    if worker.status not in (Status.running, Status.paused):
        raise TrainingInterrupted("the Dask worker that trained it ends; repeat the command")
    task = worker.state.tasks.get(worker.get_current_task())
    if task is None or task.state in ("cancelled", "resumed"):
        raise TrainingInterrupted("the training was cancelled")
