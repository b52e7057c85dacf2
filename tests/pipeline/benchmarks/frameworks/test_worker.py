"""A training lasts as long as its processor time, and its score is per step of the samples that count."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.benchmarks.frameworks.clock import Clock
from pipeline.benchmarks.frameworks.task import Settings, Task
from pipeline.benchmarks.frameworks.worker import Score, work

SETTINGS = Settings("gru", 12, "diagonal", 3, 1e-3, 4, 6, 5, 10, 2, 1e-3, 1.0, 0, 0.05)


def test_the_likelihood_is_that_of_a_step_whatever_the_number_of_windows(tmp_path: Path) -> None:
    windows = np.random.default_rng(0).normal(size=(150, 31)).astype(np.float32)
    task = Task(tmp_path, SETTINGS, windows, windows)
    kept: list[Clock] = []

    def train(task: Task, clock: Clock) -> Score:
        while not clock.after_update(samples=20):
            np.sort(np.random.default_rng(1).normal(size=10_000))
        kept.append(clock)
        return lambda part: float(np.sum(part[:, -15:] ** 2 / 2 + math.log(2 * math.pi) / 2))

    found = work(train, task)
    expected = 5 * (np.square(windows[:, 16:]).mean() / 2 + math.log(2 * math.pi) / 2)
    assert found["nats_per_step"] == pytest.approx(expected, rel=1e-5)
    spent = found["updates"] * 20 / 5 / found["steps_per_second"]
    assert 0.05 <= spent < 0.5, "processor time, and no more than an update beyond"


def test_the_first_update_is_not_counted() -> None:
    clock = Clock(seconds=0.0)
    assert not clock.after_update(samples=1_000_000)
    began = time.process_time()
    np.sort(np.random.default_rng(1).normal(size=100_000))
    least = time.process_time() - began
    assert clock.after_update(samples=30)
    found = clock.figures(hop=10)
    assert found["updates"] == 1
    assert found["steps_per_second"] <= 3 / least


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not bind processes")
def test_a_training_has_one_processor() -> None:
    code = (
        "import os; from pipeline.benchmarks.frameworks.worker import use_one_processor as use; use();"
        "print(len(os.sched_getaffinity(0)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
