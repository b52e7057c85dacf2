"""The held-out likelihood of NeuralForecast is the loss of its own training step, in units of the samples."""

import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.benchmarks.frameworks.task import Settings, Task
from tests.helpers.networks.densities import last_samples

pytest.importorskip("neuralforecast", reason="needs the extra `frameworks`")


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_likelihood_is_the_loss_of_the_training_step(cell: str, tmp_path: Path) -> None:
    from neuralforecast.tsdataset import TimeSeriesDataModule, TimeSeriesDataset

    from pipeline.benchmarks.frameworks import with_neuralforecast

    windows = np.random.default_rng(0).normal(3, 5, (4, 32 + 100)).astype(np.float32)
    shared = Settings(cell, 12, "diagonal", 3, 1e-3, 20, 32, 10, 20, 4, 1e-3, 1.0, 0, 1.0)
    task = Task(tmp_path, shared, windows, windows)
    model = with_neuralforecast.build(task, [])
    model.log = lambda *_, **__: None  # there is no trainer
    series, *_ = TimeSeriesDataset.from_df(with_neuralforecast.as_series(windows))
    data = TimeSeriesDataModule(series, batch_size=4, drop_last=False)
    (batch,) = data.train_dataloader()
    assert task.scored == 80
    expected = float(model.training_step(batch, 0)) * 4 * task.scored
    assert with_neuralforecast.held_out_nats(model, windows) == pytest.approx(expected, rel=1e-4)


def test_the_density_of_a_sample_integrates_to_one(tmp_path: Path) -> None:
    from pipeline.benchmarks.frameworks import with_neuralforecast

    shared = Settings("gru", 12, "diagonal", 3, 1e-3, 20, 32, 1, 20, 4, 1e-3, 1.0, 0, 1.0)
    windows, distance = last_samples(32 + 20, scale=1.0)
    task = Task(tmp_path, shared, windows, windows)
    assert task.scored == 1
    model = with_neuralforecast.build(task, [])
    nats = [with_neuralforecast.held_out_nats(model, window[None]) for window in windows]
    assert sum(math.exp(-each) * distance for each in nats) == pytest.approx(1, abs=0.02)
