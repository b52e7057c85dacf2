"""A run whose training is not finished is used with its best weights so far, and only where it may be."""

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.chosen_model import choose_model
from pipeline.cli.unfinished import unfinished_model
from pipeline.config.loading import load_config
from pipeline.errors import UserError
from pipeline.model.storage import load_model
from pipeline.registry.references import nothing_trained
from pipeline.tracking.run_folder import start_run
from pipeline.training.begin import begin
from pipeline.training.step import Training
from pipeline.training.validation import keep_if_best
from tests.helpers.builders import dataset_of, tone

SMALL = ["input.sample_rate=8000", "model.hidden_size=8", "train.device=cpu"]


@pytest.fixture
def training(own_data_dir: Path) -> Training:
    """A training in progress, without a validation so far."""
    config = load_config(None, SMALL)
    sounds = {"train": [tone(800, 0)], "valid": [tone(800, 1)], "test": [tone(800, 2)]}
    dataset = dataset_of(own_data_dir / "prepared", sounds, config.input)
    run = start_run(config, dataset.path, dataset.fingerprint)
    return begin(config, dataset, run, lambda covered: None)


def test_the_best_weights_so_far_are_a_model(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    name = training.folder.path.name
    assert unfinished_model(name) is None, "no weights are validated"
    keep_if_best(training, 2.0)
    first = choose_model(name, unfinished=True).folder
    model = load_model(first)
    for key, value in training.network.state_dict().items():
        assert np.array_equal(model.weights()[key], value.numpy())
    assert model.normalisation == training.normalisation
    assert model.limiter is not None
    assert f"wavecast train --resume {training.folder.path}" in capsys.readouterr().err
    assert unfinished_model(str(training.folder.path)) == first
    keep_if_best(training, 1.0)
    os.utime(training.folder.best_checkpoint, (1, 1))  # clocks of file systems may be coarse
    assert unfinished_model(name) != first
    assert not first.exists()


def test_what_needs_the_model_later_does_not_take_it(training: Training) -> None:
    keep_if_best(training, 2.0)
    name = training.folder.path.name
    with pytest.raises(UserError, match=f"finish it: wavecast train --resume .*{name}"):
        choose_model(name)
    assert f"--model {name}" in nothing_trained()


def test_a_finished_run_has_its_own_model(training: Training) -> None:
    keep_if_best(training, 2.0)
    (training.folder.model).mkdir()
    (training.folder.model / "config.json").write_text("{}")
    assert unfinished_model(training.folder.path.name) is None
