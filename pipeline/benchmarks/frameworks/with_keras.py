"""Training with Keras 3: a recurrent layer, a dense layer, and a mixture density as the loss.

`KERAS_BACKEND` chooses the backend. The network and its initial scales are those of wavecast's
`GaussianMixtureHead`.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from pipeline.benchmarks.frameworks.clock import Clock
from pipeline.benchmarks.frameworks.task import Settings, Task, steps_of
from pipeline.benchmarks.frameworks.worker import Score

CELLS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def train(task: Task, clock: Clock) -> Score:
    """Train a Keras model with `fit`; see `worker.work`."""
    settings = task.settings
    keras.utils.set_random_seed(settings.seed)
    inputs, targets = steps_of(task.train, settings, settings.window)
    model = build(settings, inputs.shape[1])
    optimizer = keras.optimizers.Adam(settings.learning_rate, global_clipnorm=settings.clip_norm)
    model.compile(optimizer, lambda values, found: nats(values, found, settings))
    # Whole batches only: another shape would be compiled anew.
    whole = len(inputs) // settings.batch_size * settings.batch_size
    endless, stop = 1_000_000, _Stop(clock, settings.batch_size * targets[0].size)
    model.fit(
        np.ascontiguousarray(inputs[:whole]),
        targets[:whole],
        batch_size=settings.batch_size,
        epochs=endless,
        callbacks=[stop],
        verbose=0,
    )
    return lambda windows: held_out_nats(model, windows, task)


def build(settings: Settings, steps: int) -> Any:
    """Return a model from inputs (B, T, window) to the parameters of mixtures, (B, T, K * (1 + 2 * D)).

    Args:
        settings: cell, sizes and components.
        steps: T.
    """
    k, d = settings.components, settings.hop
    read = keras.Input((steps, settings.window))
    hidden = CELLS[settings.cell](settings.hidden_size, return_sequences=True)(read)
    projection = keras.layers.Dense(k * (1 + 2 * d))
    model = keras.Model(read, projection(hidden))
    widths = np.linspace(math.log(0.03), math.log(1.0), k).repeat(d)
    projection.bias.assign(np.concatenate([np.zeros(k * (1 + d)), widths]))
    return model


def nats(values: Any, found: Any, settings: Settings) -> Any:
    """Return minus the log-density (B, T) of values (B, T, D) under diagonal mixtures of K Gaussians.

    Args:
        values: samples of the steps.
        found: log weights, means and log scales of all components, (B, T, K * (1 + 2 * D)).
        settings: gives K, D and the smallest scale.
    """
    k, d = settings.components, settings.hop
    shape = (*ops.shape(values)[:2], k, d)
    logits = found[..., :k]
    mean = ops.reshape(found[..., k : k * (1 + d)], shape)
    scale = ops.exp(ops.reshape(found[..., k * (1 + d) :], shape)) + settings.scale_floor
    deviation = (values[:, :, None] - mean) / scale
    inside = ops.sum(ops.square(deviation) / 2 + ops.log(scale), -1) + d / 2 * math.log(2 * math.pi)
    return ops.logsumexp(logits, -1) - ops.logsumexp(logits - inside, -1)


class _Stop(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends `fit` when the time is over."""

    def __init__(self, clock: Clock, samples: int) -> None:
        super().__init__()
        self._clock, self._samples = clock, samples

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._clock.after_update(self._samples):
            self.model.stop_training = True


def held_out_nats(model: Any, windows: np.ndarray, task: Task) -> float:
    """Return the nats of the scored samples of windows (B, lead + T * hop)."""
    settings = task.settings
    inputs, targets = steps_of(windows, settings, settings.window)
    found = model.predict_on_batch(np.ascontiguousarray(inputs))
    lost = ops.convert_to_numpy(nats(ops.convert_to_tensor(targets), ops.convert_to_tensor(found), settings))
    return float(lost[:, settings.context // settings.hop :].sum(dtype=float))
