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

from pipeline.benchmarks.plain_loop import plain_updates
from pipeline.benchmarks.timing import alternating_seconds
from pipeline.config.run import RunConfig
from pipeline.data.batching import batches
from pipeline.data.dataset import open_dataset
from pipeline.data.preparation import prepare
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.gpu.epochs import DeviceEpochs, why_host
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
        ways = (_several(_our_updates(ours)), _several(plain_updates(plain)))
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
    """Yield after each update of an endless training, as `train` does them on the training's device."""
    if why_host(training) is None:
        yield from DeviceEpochs(training, lambda note: None).endless()
    for epoch in range(1_000_000):
        plan = epoch_plan(training, epoch)
        state = training.network.initial_state(plan.lanes)
        for batch in batches(plan, training.data, training.framing, training.normaliser):
            state = update(training, batch, state)
            yield


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
