"""Timings of training and preparation on this machine; training is compared with a plain PyTorch loop.

The rounds of both loops alternate, since a shared machine's speed drifts. Medians are compared.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from models.distributions.mixture import DiagonalMixture
from models.fused.choice import torch_kernels
from pipeline.benchmarks.timing import alternating_seconds
from pipeline.config.run import RunConfig
from pipeline.data.batching import batches
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.data.preparation import prepare
from pipeline.features.framing import Framing
from pipeline.model.build import Network
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.loop import begin, epoch_plan
from pipeline.training.step import Training, update

ROUNDS = 7
UPDATES_A_ROUND = 10


def bench_train(config: RunConfig, dataset_path: Path) -> dict[str, Any]:
    """Measure training steps per second of wavecast's loop and of a plain PyTorch loop with a DataLoader.

    Both train the same network with the same batch size, chunk length and gradient clipping. The plain loop
    follows PyTorch's tutorials: a data set of single windows from the same array, a DataLoader,
    torch's own recurrent kernels, mixture distribution and Adam.

    Args:
        config: sections `input`, `model` and `train`.
        dataset_path: the prepared data set.

    Returns:
        `steps_per_second` and `plain_steps_per_second`, their `ratio` with `ratio_range`, and `what`
        was timed.
    """
    dataset = open_dataset(dataset_path, config.input)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        ours = begin(config, dataset, run, lambda covered: None)
        plain = begin(config, dataset, RunFolder(Path(folder) / "plain"), lambda covered: None)
        ways = (_several(_our_updates(ours)), _several(_plain_updates(plain)))
        seconds = alternating_seconds(ROUNDS, *ways)
    steps = config.train.batch_size * config.train.bptt_steps * UPDATES_A_ROUND
    ours_rate, plain_rate = (steps / statistics.median(times) for times in seconds)
    ratios = sorted(b / a for a, b in zip(*seconds, strict=True))
    return {
        "what": f"{config.model.cell}, {config.model.hidden_size} units, {config.train.batch_size} sequences "
        f"of {config.train.bptt_steps} steps, {ours.device}",
        "steps_per_second": round(ours_rate),
        "plain_steps_per_second": round(plain_rate),
        "ratio": statistics.median(ratios),
        "ratio_range": [ratios[0], ratios[-1]],
    }


def _several(updates: Iterator[None]) -> Callable[[], None]:
    """Return a round: a fixed number of updates of an endless training."""

    def run() -> None:
        for _ in range(UPDATES_A_ROUND):
            next(updates)

    return run


def _our_updates(training: Training) -> Iterator[None]:
    state = None
    for epoch in range(1_000_000):
        plan = epoch_plan(training, epoch)
        state = training.network.initial_state(plan.recording.shape[1])
        for batch in batches(plan, training.data, training.framing, training.normaliser):
            state = update(training, batch, state)
            yield


class _Chunks(TorchDataset[tuple[Tensor, Tensor]]):
    """Item i is a chunk of windows and targets, copied from the memory map when it is requested."""

    def __init__(self, dataset: Dataset, framing: Framing, steps: int) -> None:
        self.dataset = dataset
        self.framing = framing
        self.rows = steps * framing.hop + framing.window
        self.starts = [
            (int(index), start)
            for index in dataset.require("train")
            for start in range(0, int(dataset.length[index]) - self.rows, self.rows - framing.window)
        ]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        index, start = self.starts[item]
        begin_row = int(self.dataset.offset[index]) + start
        stretch = np.array(self.dataset.rows[begin_row : begin_row + self.rows], np.float32)
        mean, std = self.dataset.normalisation.mean, self.dataset.normalisation.std
        stretch *= self.dataset.representation.unit
        values = (torch.from_numpy(stretch) - torch.tensor(mean)) / torch.tensor(std)
        framing = self.framing
        inputs = values[: -framing.hop].unfold(0, framing.window, framing.hop).transpose(1, 2).flatten(1)
        return inputs, values[framing.window :].reshape(len(inputs), -1)


def _plain_updates(training: Training) -> Iterator[None]:
    config, network = training.config, training.network
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    loader = DataLoader(
        _Chunks(training.dataset, training.framing, config.bptt_steps),
        config.batch_size,
        shuffle=True,
        drop_last=True,
    )
    while True:
        for inputs, targets in loader:
            with torch_kernels():
                _plain_update(network, optimizer, inputs.to(training.device), targets.to(training.device))
            yield


def _plain_update(
    network: Network, optimizer: torch.optim.Optimizer, inputs: Tensor, targets: Tensor
) -> None:
    distribution, _ = network(inputs, network.initial_state(len(inputs)))
    if type(distribution) is DiagonalMixture:
        components = Independent(Normal(distribution.mean, distribution.scale), 1)
        distribution = MixtureSameFamily(Categorical(logits=distribution.logits), components)
    loss = -distribution.log_prob(targets).mean()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    loss.item()


def bench_prepare(config: RunConfig) -> dict[str, Any]:
    """Measure how many times faster than real time recordings are prepared in a new folder.

    A core's share is what counts: processor seconds of all threads, hashing, decoding, checks and writing
    included.
    """
    before = os.environ.get("WAVECAST_DATA")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WAVECAST_DATA"] = folder
        try:
            began, cpu_began = time.perf_counter(), time.process_time()
            dataset = open_dataset(prepare(config), config.input)
            wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        finally:
            os.environ.pop("WAVECAST_DATA")
            if before is not None:
                os.environ["WAVECAST_DATA"] = before
        seconds = float(dataset.length.sum()) / dataset.representation.row_rate_hz
        return {
            "what": f"{len(dataset.length)} recordings, {seconds / 60:.1f} min, to {config.input.kind} rows",
            "times_real_time": seconds / wall_s,
            "times_real_time_per_core": seconds / cpu_s,
        }
