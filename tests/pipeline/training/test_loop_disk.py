"""A training whose checkpoints do not fit on the disk is not begun, and one that fits needs no more."""

from pathlib import Path

import pytest

from pipeline.data.store import disk
from pipeline.data.store.disk import RESERVE_BYTES
from pipeline.errors import UserError
from pipeline.stages import prepare_stage, start_stage
from pipeline.tracking.run_folder import RunFolder
from pipeline.training import begin
from pipeline.training.loop import train
from tests.helpers.builders import run_config, speakers_folder


def started(folder: Path) -> RunFolder:
    config = run_config(speakers_folder(folder))
    config = config.model_copy(
        update={
            "model": config.model.model_copy(update={"hidden_size": 64}),
            "train": config.train.model_copy(update={"epochs": 1, "device": "cpu"}),
        }
    )
    return RunFolder(start_stage(config, prepare_stage(config)))


def test_a_training_that_does_not_fit_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(tmp_path / "corpus")
    monkeypatch.setattr(disk, "free_bytes", lambda folder: RESERVE_BYTES)
    with pytest.raises(UserError, match="too little disk space: this training needs about"):
        train(run)
    assert run.status()["status"] == "failed"
    assert not run.lines()


def test_the_estimate_covers_all_files_of_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = started(tmp_path / "corpus")
    needed: list[int] = []
    monkeypatch.setattr(begin, "require_space", lambda folder, size, what: needed.append(size))
    train(run)
    written = sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    # The largest files in the meantime: the checkpoint before the last, and the one that was being written.
    most = written + 2 * run.last_checkpoint.stat().st_size
    assert 0.9 * most < needed[0] + RESERVE_BYTES
    assert needed[0] < 1.5 * most
