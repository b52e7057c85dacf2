"""Trainings of several runs at once, in processes of this machine or on a Dask cluster.

A training is a unit of work of minutes or hours. Its process may be lost: it then resumes from its last
checkpoint in another process, which on a cluster may be one of another machine.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from pipeline.config.runners import RunnersConfig
from pipeline.data.preparing.execution import usable_processors
from pipeline.errors import TrainingInterrupted, print_notice
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.processes.child import train_in_child
from pipeline.training.processes.shared import SharedTraining, Stopped, shared_trainings

__all__ = ["Stopped", "stop_when", "train_all", "train_run"]

MOST_LOSSES = 3
"""Processes that may be lost without a checkpoint between them before a training counts as failed."""


def train_run(
    run: Path,
    where: RunnersConfig,
    observe: Callable[[], None] = lambda: None,
    shared: SharedTraining | None = None,
) -> None:
    """Train a run where the settings state, unless it is finished.

    Args:
        run: the run folder.
        where: workers and threads. With workers, a training whose process was lost is resumed.
        observe: called every two seconds while the run is trained; an exception that it raises ends the
            training.
        shared: the group of runs that this one is trained with, if any.

    Raises:
        UserError: the training failed, or the cluster cannot be used.
        TrainingInterrupted: the training's process was lost, with workers for `MOST_LOSSES` times since the
            last checkpoint.
    """
    if RunFolder(run).status()["status"] == "finished":
        return None
    losses, reached = 0, _last_checkpoint(run)
    while True:
        try:
            if shared is not None:
                return shared.train(run, observe)
            return train_in_process([run], where, observe)
        except TrainingInterrupted as problem:
            before, reached = reached, _last_checkpoint(run)
            losses = losses + 1 if reached == before else 1
            if where.workers is None or losses == MOST_LOSSES:
                raise
            print_notice(f"{problem.args[0].partition(';')[0]}; it resumes from its last checkpoint")


def _last_checkpoint(run: Path) -> int:
    """Return the time of the last checkpoint in nanoseconds; 0 without one."""
    path = RunFolder(run).last_checkpoint
    return path.stat().st_mtime_ns if path.exists() else 0


def train_in_process(runs: Sequence[Path], where: RunnersConfig, observe: Callable[[], None]) -> None:
    """Train runs in one process where the settings state; several are trained together."""
    if isinstance(where.workers, str):
        from pipeline.training.processes.cluster import train_on_cluster

        train_on_cluster(runs, where.workers, where.threads, observe)
        return
    threads = where.threads
    if threads is None and where.workers is not None:
        threads = max(1, usable_processors() // where.workers)
    train_in_child(runs, observe, threads, among_others=where.workers is not None)


def groups_for(runs: Iterable[Path], where: RunnersConfig, slots: int) -> Mapping[Path, SharedTraining]:
    """Return the group that each run is trained with; none where each has a process of its own.

    Args:
        runs: run folders.
        where: workers, threads, and how many are trained together.
        slots: number of processes at a time.
    """
    if where.together == 1:
        return {}
    return shared_trainings(
        runs, where.together, lambda group, observe: train_in_process(group, where, observe), slots
    )


def count_slots(where: RunnersConfig, trainings: int) -> int:
    """Return how many processes to start at the same time, once there is a worker for the first.

    On a cluster it is the number of trainings. Those without a worker wait there, so that workers that join
    later take them, and an adaptive cluster knows how many workers it needs.

    Raises:
        UserError: the cluster cannot be reached, or has no workers.
    """
    if isinstance(where.workers, str):
        from pipeline.training.processes.cluster import await_cluster

        await_cluster(where.workers)
        return max(1, trainings)
    return where.workers or 1


def count_now(where: RunnersConfig) -> int:
    """Return how many trainings the workers that there are now train at the same time, at least 1.

    Raises:
        UserError: the cluster cannot be reached.
    """
    if isinstance(where.workers, str):
        from pipeline.training.processes.cluster import count_cluster_threads

        return count_cluster_threads(where.workers)
    return where.workers or 1


def train_all(runs: Iterable[Path], where: RunnersConfig) -> Iterator[tuple[Path, Exception | None]]:
    """Train runs, and yield each when its training has ended, with the exception of a failed one.

    Args:
        runs: run folders. Those that have a process of their own and no workers are taken when the one before
            was trained.
        where: workers, threads, and how many are trained together.
    """
    if where.workers is None and where.together == 1:
        for run in runs:
            try:
                train_run(run, where)
            except Exception as problem:
                yield run, problem
            else:
                yield run, None
        return
    stop, runs = threading.Event(), list(runs)
    slots = count_slots(where, len(runs))
    groups = groups_for(runs, where, slots)
    with ThreadPoolExecutor(slots * where.together, thread_name_prefix="training") as pool:
        futures = {pool.submit(train_run, run, where, stop_when(stop), groups.get(run)): run for run in runs}
        try:
            for future in as_completed(futures):
                failure = future.exception()
                if failure is not None and not isinstance(failure, Exception):
                    raise failure
                yield futures[future], failure
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def stop_when(event: threading.Event) -> Callable[[], None]:
    """Return an observer that ends its training when the event is set."""

    def observe() -> None:
        if event.is_set():
            raise Stopped

    return observe
