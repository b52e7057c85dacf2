"""Training with wavecast's own updates."""

from itertools import count
from pathlib import Path

import numpy as np
import torch

from pipeline.benchmarks.frameworks.clock import Clock
from pipeline.benchmarks.frameworks.task import Task, steps_of
from pipeline.benchmarks.frameworks.worker import Score
from pipeline.common.files import read_json
from pipeline.config.run import RunConfig
from pipeline.data.batching import batches
from pipeline.data.dataset import open_dataset
from pipeline.model.build import Network
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.begin import begin, epoch_plan
from pipeline.training.step import Training, update

OWN = "wavecast.json"
"""File of the task with the sections of the configuration and the data set; its chunks are the windows."""


def train(task: Task, clock: Clock) -> Score:
    """Train a network of wavecast; see `worker.work`."""
    found, settings = read_json(task.folder / OWN, "task"), task.settings
    changes = {"covariance": settings.covariance, "mixture_components": settings.components}
    config = RunConfig.model_validate(
        {
            "input": found["input"],
            "model": {**found["model"], **changes},
            "train": {**found["train"], "seed": settings.seed},
        }
    )
    dataset = open_dataset(Path(found["dataset"]), config.input)
    torch.set_num_threads(1)
    run = RunFolder(task.folder / f"{settings.covariance}-{settings.seed}")
    training = begin(config, dataset, run, lambda covered: None)
    _train_until(training, clock)
    training.network.eval()
    return lambda windows: held_out_nats(training.network, windows, training.framing.window, task)


def _train_until(training: Training, clock: Clock) -> None:
    for epoch in count():
        plan = epoch_plan(training, epoch)
        state = training.network.initial_state(plan.lanes)
        for batch in batches(plan, training.data, training.framing, training.normaliser):
            state = update(training, batch, state)
            if clock.after_update(int(batch.values)):
                return


@torch.inference_mode()
def held_out_nats(network: Network, windows: np.ndarray, window: int, task: Task) -> float:
    """Return the nats of the scored samples of windows (B, lead + T * hop), each from the initial state."""
    settings = task.settings
    inputs, targets = (torch.tensor(part) for part in steps_of(windows, settings, window))
    distribution, _ = network(inputs, network.initial_state(len(inputs)))
    log_prob = distribution.log_prob(targets)[:, settings.context // settings.hop :]
    return -float(log_prob.double().sum())
