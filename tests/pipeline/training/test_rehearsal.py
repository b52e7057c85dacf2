"""The rehearsal before the clock of a training starts changes nothing, and computes what is kept."""

from pathlib import Path

import pytest
import torch

from pipeline.config.loading import load_config
from pipeline.data.dataset import Dataset
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.begin import begin
from pipeline.training.rehearsal import rehearse
from pipeline.training.step import Training
from tests.helpers.builders import dataset_of, tone

SMALL = ["input.sample_rate=8000", "model.hidden_size=8", "train.device=cpu", "train.batch_size=2"]
NOISY = ["model.output_dropout=0.5", "train.weight_noise=0.1", "train.bptt_steps=20"]
ADAPTIVE = [
    "model.head=adaptive",
    "train.loss=discrete",
    "input.window=10",
    "train.bptt_steps=10",
    "samples.count=0",
    "evaluate.horizons=[]",
]


def begun(folder: Path, *settings: str) -> tuple[Training, Dataset]:
    config = load_config(None, [*SMALL, *settings])
    sounds = {"train": [tone(800, 0), tone(900, 1)], "valid": [tone(800, 2)], "test": [tone(800, 3)]}
    dataset = dataset_of(folder / "data", sounds, config.input)
    return begin(config, dataset, RunFolder(folder / "run"), lambda covered: None), dataset


@pytest.mark.parametrize("settings", [NOISY, ADAPTIVE], ids=["noisy", "adaptive"])
def test_weights_gradients_draws_and_position_stay_as_they_are(tmp_path: Path, settings: list[str]) -> None:
    training, _ = begun(tmp_path, *settings)
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    draws = torch.random.get_rng_state()
    rehearse(training)
    assert all(torch.equal(value, before[name]) for name, value in training.network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), draws)
    assert all(weight.grad is None for weight in training.network.parameters())
    assert not training.optimizer.state
    assert (training.position.total_updates, training.position.elapsed_s) == (0, 0.0)


def test_the_tables_of_adaptive_predictions_are_computed(tmp_path: Path) -> None:
    training, dataset = begun(tmp_path, *ADAPTIVE)
    assert not list(dataset.path.parent.glob("*-steps-*.bin"))
    rehearse(training)
    tables = sorted(path.name.partition("-")[0] for path in dataset.path.parent.glob("*-steps-*.bin"))
    assert tables == ["train", "valid"]
