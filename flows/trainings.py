"""Trainings of a flow: one after the other, or several at once with `run.workers` and `run.together`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.futures import as_completed
from prefect.states import Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows import tasks
from pipeline.config.run import RunConfig
from pipeline.errors import UserError, one_line, reason_of
from pipeline.stages import is_trained, start_stage
from pipeline.training.processes.runners import count_slots, groups_for


def train_each(
    config: RunConfig, dataset: Path, names: Sequence[str], prepared: State[Path]
) -> Iterator[tuple[str, Path, State[Path]]]:
    """Train the variants of a run, and yield each when its training has ended.

    With workers, a thread of this process waits for each training, which is a process of this machine or of a
    cluster. Prefect's own settings, and its temporary server, need not be known there.

    Args:
        config: the run's configuration; `run` states how many are trained at once.
        dataset: the prepared data set.
        names: of the variants.
        prepared: state of the preparation, which the trainings come after.

    Yields:
        The variant, its run folder, and the state of its training; a failed state without a folder where
        the training cannot begin.
    """
    if config.run.workers is None and config.run.together == 1:
        for name in names:
            run = _started(config, dataset, name)
            if isinstance(run, State):
                yield name, Path(), run
            else:
                yield name, run, tasks.train(run, config.run, return_state=True, wait_for=[prepared])
        return
    runs = dict[str, Path]()
    for name in names:
        run = _started(config, dataset, name)
        if isinstance(run, State):
            yield name, Path(), run
        else:
            runs[name] = run
    stop = Event()
    slots = count_slots(config.run, len(runs))
    groups = groups_for(runs.values(), config.run, slots)
    runner: Any = ThreadPoolTaskRunner(max_workers=slots * config.run.together)
    with runner:
        try:
            waiting: dict[Any, str] = {}
            for name, run in runs.items():
                parameters = {"run": run, "where": config.run, "stop": stop, "shared": groups.get(run)}
                waiting[runner.submit(tasks.train, parameters, wait_for=[prepared])] = name
            for future in as_completed(list(waiting)):
                future.wait()
                name = waiting[future]
                yield name, runs[name], future.state
        finally:
            stop.set()


def _started(config: RunConfig, dataset: Path, name: str) -> Path | State[Path]:
    """Return the run folder of a variant, or a failed state where it cannot be used."""
    try:
        run = start_stage(config, dataset, name)
        if is_trained(run):
            get_run_logger().info("nothing is new for %s: nothing is trained", run.name)
    except (UserError, OSError) as problem:
        get_run_logger().error("%s failed: %s", name or config.name, one_line(reason_of(problem)))
        return Failed(message=reason_of(problem), data=problem)
    return run
