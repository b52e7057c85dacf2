"""One training with one method, in a process of its own: `python -m ... with_keras FOLDER`.

It reads the task of the folder and writes `result.json` there. It imports numpy and the method's framework,
so that it also runs where wavecast is not installed.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.benchmarks.frameworks.clock import Clock
from pipeline.benchmarks.frameworks.task import Task, read_task

RESULT = "result.json"
Score = Callable[[np.ndarray], float]
"""Returns the nats of the scored samples of some held-out windows."""
_WINDOWS_AT_ONCE = 64


def work(train: Callable[[Task, Clock], Score], task: Task) -> dict[str, float]:
    """Train with a method and score it.

    Args:
        train: trains until the clock says that the time is over, and returns the function that scores.
        task: the data and the settings.

    Returns:
        The figures of the clock, and ``nats_per_step``: minus the log-density of ``hop`` held-out samples.
    """
    clock = Clock(task.settings.seconds)
    score = train(task, clock)
    parts = range(0, len(task.held_out), _WINDOWS_AT_ONCE)
    nats = sum(score(task.held_out[begin : begin + _WINDOWS_AT_ONCE]) for begin in parts)
    hop = task.settings.hop
    return {**clock.figures(hop), "nats_per_step": nats / (len(task.held_out) * task.scored / hop)}


def main(module: str, folder: str) -> None:
    """Run one training and write its result."""
    task = read_task(Path(folder))
    os.chdir(folder)  # frameworks write logs where they are called
    train = importlib.import_module(f"{__package__}.{module}").train
    Path(RESULT).write_text(json.dumps(work(train, task)))


def use_one_processor() -> None:
    """Run this process on one processor. XLA has a thread for each that it may use, whatever its flags."""
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])


if __name__ == "__main__":
    use_one_processor()
    main(*sys.argv[1:])
