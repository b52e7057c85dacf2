"""Trainings on the CPU whose updates are those of a GPU, for tests of them."""

from pathlib import Path

import torch

from pipeline.config.loading import load_config
from pipeline.config.types import Split
from pipeline.data.batching import batches
from pipeline.data.dataset import open_dataset
from pipeline.music.midi import Roll
from pipeline.stages import prepare_stage
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.begin import begin, epoch_plan
from pipeline.training.gpu.update import DeviceUpdate
from pipeline.training.step import Training, update
from tests.helpers.builders import dataset_of
from tests.helpers.notes import some_roll
from tests.helpers.sounds import write_noisy_tones

SMALL = (
    "input.sample_rate=8000",
    "corpus.group=recording",
    "model.hidden_size=12",
    "model.mixture_components=3",
    "model.autoregressive_order=6",
    "train.batch_size=4",
    "train.bptt_steps=40",
    "train.device=cpu",
)


def training_of(folder: Path, *settings: str) -> Training:
    """A training at its beginning, on ten recordings of half a second."""
    corpus = folder / "tones"
    if not corpus.exists():
        write_noisy_tones(corpus, count=10, seconds=0.5, sample_rate=8000)
    config = load_config(None, [f"corpus.inputs=[{corpus}]", *SMALL, *settings])
    dataset = open_dataset(prepare_stage(config), config.input)
    number = len(list(folder.glob("run-*")))
    run = RunFolder(folder / f"run-{number}")
    return begin(config, dataset, run, lambda covered: None)


def training_on_notes(folder: Path, *settings: str) -> Training:
    """A training on rolls drawn at random."""
    config = load_config(None, [*SMALL[2:], *settings])
    splits: dict[Split, list[Roll]] = {"train": [some_roll(90, seed) for seed in range(5)]}
    splits["valid"] = [some_roll(30, 9)]
    dataset = dataset_of(folder / "data", splits, config.input)
    return begin(config, dataset, RunFolder(folder / "run"), lambda covered: None)


def device_update(training: Training, epoch: int = 0) -> DeviceUpdate:
    """Its update on the device, at the beginning of an epoch."""
    plan = epoch_plan(training, epoch)
    found = DeviceUpdate(training, plan)
    found.begin_epoch(plan)
    return found


def run_on_host(training: Training, epoch: int = 0) -> None:
    """An epoch in the host's loop."""
    plan = epoch_plan(training, epoch)
    state = training.network.initial_state(plan.lanes)
    for batch in batches(plan, training.data, training.framing, training.normaliser):
        state = update(training, batch, state)
    training.position.state = state


def weights_of(training: Training) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in training.network.parameters()]
