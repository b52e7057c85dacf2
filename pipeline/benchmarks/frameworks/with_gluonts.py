"""Training with GluonTS: DeepAR, an LSTM over single samples with a Student's t distribution.

A step is one sample and reads the samples before it as lags, as many as a window has before its first step.
Each training window is a series whose end is the prediction range, so that the same windows are trained on.
DeepAR scales a window by the mean of its absolute values and has no mixture.
"""

from typing import Any

import numpy as np
import pandas
import torch
from gluonts.itertools import select
from gluonts.torch import DeepAREstimator
from gluonts.transform import ValidationSplitSampler
from lightning.pytorch import Callback, seed_everything

from pipeline.benchmarks.frameworks.clock import Clock
from pipeline.benchmarks.frameworks.task import Task
from pipeline.benchmarks.frameworks.worker import Score

_FREQUENCY = "s"  # there is none of audio; lags and features of the calendar are not derived from it


class _Stop(Callback):  # type: ignore[misc]
    """Ends the training when the time is over."""

    def __init__(self, clock: Clock, samples: int) -> None:
        self._clock, self._samples = clock, samples

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        trainer.should_stop = trainer.should_stop or self._clock.after_update(self._samples)


def train(task: Task, clock: Clock) -> Score:
    """Train DeepAR; see `worker.work`."""
    torch.set_num_threads(1)
    settings = task.settings
    seed_everything(settings.seed)
    predicted = int(task.train.shape[1]) - settings.lead - 1
    estimator = build(task, [_Stop(clock, settings.batch_size * predicted)])
    order = np.random.default_rng(settings.seed).permutation(len(task.train))
    trained = estimator.train_model(as_series(task.train[order])).trained_net.eval()
    return lambda windows: held_out_nats(estimator, trained, windows)


def build(task: Task, callbacks: list[Any]) -> Any:
    """Return the estimator, which makes and trains the model."""
    settings = task.settings
    return DeepAREstimator(
        freq=_FREQUENCY,
        context_length=settings.context,
        prediction_length=task.scored,
        lags_seq=list(range(1, settings.lead + 1)),
        time_features=[],
        num_layers=1,
        hidden_size=settings.hidden_size,
        dropout_rate=0.0,
        lr=settings.learning_rate,
        batch_size=settings.batch_size,
        num_batches_per_epoch=max(1, len(task.train) // settings.batch_size),
        train_sampler=ValidationSplitSampler(min_future=task.scored),
        trainer_kwargs={
            "max_epochs": -1,
            "gradient_clip_val": settings.clip_norm,
            "callbacks": callbacks,
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
        },
    )


def as_series(windows: np.ndarray) -> list[dict[str, Any]]:
    """Return windows (B, N) as a data set of B series."""
    start = pandas.Period("2000-01-01", _FREQUENCY)
    return [{"start": start, "target": window} for window in windows]


@torch.inference_mode()
def held_out_nats(estimator: Any, trained: Any, windows: np.ndarray) -> float:
    """Return the nats of the prediction ranges of windows (B, N), each sample given the true ones before."""
    series = estimator.create_transformation().apply(as_series(windows), is_train=True)
    nats = 0.0
    for batch in estimator.create_validation_data_loader(series, trained):
        inputs = select(trained.inputs, batch)
        nats -= float(trained.model.log_prob(**inputs, future_target=batch["future_target"]).sum())
    return nats
