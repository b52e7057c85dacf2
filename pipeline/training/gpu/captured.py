"""The update of a training as one CUDA graph: recorded once, replayed for each update in one launch."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from models.cuda_graphs.layer import can_capture
from models.cuda_graphs.step import record
from pipeline.training.gpu.update import DeviceUpdate


class CapturedUpdate:
    """An update that is replayed where its device can, and runs as written elsewhere.

    The random numbers of an update are a function of the training's seed and the update's number. So a
    resumed training draws what an uninterrupted one draws, however often either was recorded.

    Args:
        update: the update, with the plan of an epoch on the device. Recording leaves it as it is.
    """

    def __init__(self, update: DeviceUpdate) -> None:
        self.update = update
        self._replay = self._recorded() if can_capture(update.register.row.device) else None

    @property
    def is_replayed(self) -> bool:
        """Whether there is a graph."""
        return self._replay is not None

    def __call__(self) -> None:
        """Do the next update."""
        training = self.update.training
        seed_draws(training.device, training.config.seed, training.position.total_updates)
        if self._replay is None:
            self.update()
        else:
            self._replay()

    def _recorded(self) -> Callable[..., Any] | None:
        """Return the graph's replay, or None where the update cannot be recorded."""
        try:
            with self.update.left_unchanged():
                return record(self._step, ())
        except Exception as problem:  # whatever it is, the update as written still runs
            reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
            warnings.warn(f"training runs without a CUDA graph of its update: {reason}", stacklevel=3)
            return None

    def _step(self) -> tuple[()]:
        self.update()
        return ()


def seed_draws(device: torch.device, seed: int, update: int) -> None:
    """Let the random numbers that are drawn next on a device depend on these two numbers alone.

    Args:
        device: where they are drawn.
        seed: of the training.
        update: number of the update, from 0.
    """
    drawn = int(np.random.SeedSequence([seed, update]).generate_state(1, np.uint64)[0])
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(drawn >> 1)
    else:
        torch.default_generator.manual_seed(drawn >> 1)
