"""The held-out likelihood of NeuralForecast is the loss that its own training step computes."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.benchmarks.frameworks.task import Settings, Task

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
