"""Every sample of held-out recordings is scored once, and read before only in its own window."""

from pathlib import Path

import numpy as np

from pipeline.benchmarks.frameworks.task import (
    Settings,
    Task,
    cut,
    read_task,
    steps_of,
    write_settings,
    write_windows,
)

SETTINGS = Settings("gru", 12, "diagonal", 3, 1e-3, 4, 6, 5, 10, 2, 1e-3, 1.0, 0, 1.0)


def test_each_held_out_sample_after_the_context_is_scored_once(tmp_path: Path) -> None:
    recording = np.arange(6 + 10 + 15 * 4, dtype=np.float32)
    windows = cut([recording], length=6 + 25, stride=15)
    task = Task(tmp_path, SETTINGS, windows, windows)
    assert task.scored == 15
    np.testing.assert_array_equal(windows[:, -task.scored :].ravel(), recording[16:])


def test_a_step_reads_the_samples_just_before_it() -> None:
    windows = np.arange(6 + 15)[None]
    inputs, targets = steps_of(windows, SETTINGS, window=4)
    assert inputs.tolist() == [[[2, 3, 4, 5], [7, 8, 9, 10], [12, 13, 14, 15]]]
    assert targets.tolist() == [[[6, 7, 8, 9, 10], [11, 12, 13, 14, 15], [16, 17, 18, 19, 20]]]


def test_another_process_reads_the_task_that_was_written(tmp_path: Path) -> None:
    train, held_out = np.ones((3, 31), np.float32), np.zeros((2, 31), np.float32)
    write_windows(tmp_path, train, held_out)
    write_settings(tmp_path, SETTINGS)
    found = read_task(tmp_path)
    assert found.settings == SETTINGS
    np.testing.assert_array_equal(found.train, train)
    np.testing.assert_array_equal(found.held_out, held_out)
