"""Training with NeuralForecast: its GRU or LSTM in the recurrent form, with its mixture of Gaussians.

A step is one sample. Each training window is a series: the first samples are its `input_size`, and those that
follow are its horizon in training. All of these are predicted in one pass, each given the true samples before
it. The model's own scaling, of each window by the mean and deviation of its first samples, is off: speech
follows silence, and after a minute of training the likelihood was worse with it by 11 nats per step.
"""

from typing import Any

import numpy as np
import pandas
import torch
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import GMM
from neuralforecast.models import GRU, LSTM
from pytorch_lightning import Callback

from pipeline.benchmarks.frameworks.clock import Clock
from pipeline.benchmarks.frameworks.task import Task
from pipeline.benchmarks.frameworks.worker import Score

CELLS = {"gru": GRU, "lstm": LSTM}


class _Stop(Callback):  # type: ignore[misc]
    """Ends the training when the time is over."""

    def __init__(self, clock: Clock, samples: int) -> None:
        self._clock, self._samples = clock, samples

    def __deepcopy__(self, _: Any) -> "_Stop":
        return self  # a copy of the model is trained, by the same clock

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        trainer.should_stop = trainer.should_stop or self._clock.after_update(self._samples)


def train(task: Task, clock: Clock) -> Score:
    """Train a model of NeuralForecast with `fit`; see `worker.work`."""
    torch.set_num_threads(1)
    settings = task.settings
    forecast = NeuralForecast([build(task, [_Stop(clock, settings.batch_size * task.scored)])], freq=1)
    forecast.fit(as_series(task.train))
    fitted = forecast.models[0].eval()
    return lambda windows: held_out_nats(fitted, windows)


def build(task: Task, callbacks: list[Any]) -> Any:
    """Return the untrained model."""
    settings, length = task.settings, int(task.train.shape[1])
    return CELLS[settings.cell](
        h=1,
        h_train=task.scored,
        input_size=length - task.scored - 1,  # the recurrent form adds one
        recurrent=True,
        encoder_n_layers=1,
        encoder_hidden_size=settings.hidden_size,
        loss=GMM(n_components=settings.components, weighted=True),
        scaler_type="identity",
        learning_rate=settings.learning_rate,
        gradient_clip_val=settings.clip_norm,
        batch_size=settings.batch_size,
        windows_batch_size=settings.batch_size,
        step_size=length,  # one window of each series
        max_steps=1_000_000,
        random_seed=settings.seed,
        callbacks=callbacks,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
    )


def as_series(windows: np.ndarray) -> Any:
    """Return windows (B, N) as a table of B series."""
    count, length = windows.shape
    return pandas.DataFrame(
        {
            "unique_id": np.arange(count).repeat(length),
            "ds": np.tile(np.arange(length), count),
            "y": windows.ravel(),
        }
    )


@torch.inference_mode()
def held_out_nats(model: Any, windows: np.ndarray) -> float:
    """Return the nats of the scored samples of windows (B, N), as the training step computes its loss.

    `predict` only gives forecasts, so this calls the parts of the model that give the density: the scaler,
    the network, and the loss, whose means and deviations are in units of the windows again.
    """
    scored: int = model.h_train
    values = torch.tensor(windows)[:, :, None, None]
    known = torch.ones_like(values)
    known[:, -scored:] = 0
    scaled = model.scaler.transform(x=values.clone(), mask=known)
    model.h = scored
    none = dict.fromkeys(("futr_exog", "hist_exog", "stat_exog"))
    output = model.loss.domain_map(model({"insample_y": scaled[:, :-1, 0], **none}))
    location, scale = model.scaler.x_shift[:, :, 0], model.scaler.x_scale[:, :, 0]
    parameters = model.loss.scale_decouple(output=output, loc=location, scale=scale)
    mean = float(model.loss(y=values[:, -scored:, 0], distr_args=parameters))
    return mean * len(windows) * scored
