"""One measurement: some updates of a training, with their speed and the memory of their process."""

import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from typing_extensions import TypedDict

from pipeline.benchmarks.growth.recordings import noise_dataset
from pipeline.config.inputs import WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.config.run import RunConfig
from pipeline.config.training import TrainConfig
from pipeline.data.batching import batches
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.begin import begin, epoch_plan
from pipeline.training.step import update

_SAMPLED_EVERY_S = 0.01
_WARM_UP = 2


class Size(TypedDict):
    """What is trained.

    Attributes:
        hidden_size: units of the layer.
        bptt_steps: steps of an update.
        lanes: sequences of an update.
        hours: length of the training split.
    """

    hidden_size: int
    bptt_steps: int
    lanes: int
    hours: float


def measure(cell: str, size: Size, updates: int, folder: Path) -> dict[str, Any]:
    """Train a few updates on noise, on one thread of a CPU, in this process.

    Args:
        cell: name of the recurrent cell; the head is a mixture of 20 Gaussians.
        size: what is trained.
        updates: number of updates that are timed, after two others.
        folder: where the data set is written; it is left empty.

    Returns:
        ``steps_per_second`` of processor time, by the median update; the ``parameters``; the largest
        ``private_mib`` of the process, without the pages of mapped files, which the system can drop; those
        pages at the end, ``mapped_mib``; and what was private before the data set was opened, ``before_mib``.
    """
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        sound = WaveformConfig()
        config = RunConfig(
            input=sound,
            model=ModelConfig(cell=cell, hidden_size=size["hidden_size"]),
            train=TrainConfig(batch_size=size["lanes"], bptt_steps=size["bptt_steps"], device="cpu"),
        )
        with _PrivateMemory() as memory:
            dataset = noise_dataset(Path(place), size["hours"], sound)
            training = begin(config, dataset, RunFolder(Path(place) / "run"), lambda covered: None)
            plan = epoch_plan(training, 0)
            state = training.network.initial_state(plan.lanes)
            rates: list[float] = []
            began = time.process_time()
            for batch in batches(plan, training.data, training.framing, training.normaliser):
                state = update(training, batch, state)
                now = time.process_time()
                rates.append(batch.targets.shape[0] * batch.targets.shape[1] / (now - began))
                began = now
                if len(rates) == updates + _WARM_UP:
                    break
        return {
            **size,
            "steps_per_second": statistics.median(rates[_WARM_UP:] or rates),
            "parameters": sum(weight.numel() for weight in training.network.parameters()),
            "updates": len(rates),
            "before_mib": memory.before / 2**20,
            "private_mib": memory.most / 2**20,
            "mapped_mib": _mapped_bytes() / 2**20,
        }


class _PrivateMemory:
    """Samples the private memory of this process while the block runs.

    Attributes:
        before, most: bytes at the beginning, and the most.
    """

    def __enter__(self) -> "_PrivateMemory":
        self.before = self.most = _private_bytes()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.most = max(self.most, _private_bytes())
            if self._ended.wait(_SAMPLED_EVERY_S):
                return


def _private_bytes() -> int:
    """Return resident bytes that belong to this process alone; pages of mapped files are not counted."""
    found = psutil.Process().memory_info()
    return int(found.rss - getattr(found, "shared", 0))


def _mapped_bytes() -> int:
    return int(getattr(psutil.Process().memory_info(), "shared", 0))
