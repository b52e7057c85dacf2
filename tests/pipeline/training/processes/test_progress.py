"""Progress by the journal: epoch, figures and time left, at any moment of a training."""

from pathlib import Path

import pytest

from pipeline.config.training import TrainConfig
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.processes.progress import progress_of


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def trained(run: RunFolder, step: int, epoch: float, elapsed_s: float) -> None:
    figures = {"train/nats_per_step": 2.25, "train/steps_per_second": 1200.0}
    run.append(step, {**figures, "time/epoch": epoch, "time/elapsed_s": elapsed_s})


def validated(run: RunFolder, step: int, valid: float, elapsed_s: float) -> None:
    run.append(step, {"valid/nats_per_step": valid, "time/epoch_end_s": elapsed_s})


def test_there_is_none_before_the_first_line(run: RunFolder) -> None:
    assert progress_of(run, TrainConfig()) is None


def test_the_time_left_is_that_of_the_remaining_epochs(run: RunFolder) -> None:
    trained(run, 10, epoch=1.0, elapsed_s=60)
    found = progress_of(run, TrainConfig(epochs=4))
    assert found is not None
    assert found.fraction == 0.25
    assert found.text == (
        "epoch 1.0 of 4: 2.25 nats per step in training, 1,200 steps/s, at most 3.0 min left"
    )


def test_a_time_limit_that_ends_the_training_earlier_counts(run: RunFolder) -> None:
    trained(run, 10, epoch=1.0, elapsed_s=60)
    found = progress_of(run, TrainConfig(epochs=100, max_minutes=2))
    assert found is not None
    assert found.fraction == 0.5
    assert "at most 60.0 s left" in found.text


def test_the_best_validation_is_named_beside_the_last(run: RunFolder) -> None:
    validated(run, 10, 3.5, 30)
    validated(run, 20, 4.5, 60)
    found = progress_of(run, TrainConfig(epochs=2))
    assert found is not None
    assert (found.epochs_done, found.fraction, found.step) == (2, 1.0, 20)
    assert found.text == "epoch 2.0 of 2: 4.5 nats per step in validation (best 3.5)"


def test_a_line_that_is_being_written_is_left_out(run: RunFolder) -> None:
    trained(run, 10, epoch=1.0, elapsed_s=60)
    with run.journal.open("a") as journal:
        journal.write('{"step": 20, "ti')
    found = progress_of(run, TrainConfig())
    assert found is not None
    assert found.step == 10
