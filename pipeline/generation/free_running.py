"""A model that hears a recording and then itself: what the ways to compute that have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.head_kinds import head_kind
from pipeline.common.progress import progress_bar
from pipeline.generation.options import Draws, SamplingOptions
from pipeline.model.trained_model import TrainedModel

Rows = NDArray[Any]
Flags = NDArray[np.bool_]

MAX_SCALE = 1.0
MAX_SCALE_GIVEN_NEIGHBOURS = 0.5
"""Nothing is drawn with a larger standard deviation, that of the data being 1: a model that hears what it
never heard in training says that anything may come, and anything is what it would hear next. Samples drawn
given the one before are known far better: with half of the data's deviation, speech that runs free is 2 to
7 dB quieter than with the whole, and nearer to the training split."""


@dataclass
class LimiterLog:
    """When a runaway was held back, for each take.

    ``gain_reduced`` counts steps that were louder than the training split ever is (see
    `pipeline.model.limiter`), ``scale_clipped`` those in which the model was hardly more certain than if it
    knew nothing (see `MAX_SCALE`).
    """

    gain_reduced: NDArray[np.int64]
    scale_clipped: NDArray[np.int64]
    first: NDArray[np.int64]
    """The first such step, or -1."""
    steps: int = 0

    @classmethod
    def of(cls, takes: int) -> "LimiterLog":
        """An empty log."""
        return cls(np.zeros(takes, np.int64), np.zeros(takes, np.int64), np.full(takes, -1))

    def note(self, gain_reduced: Flags, scale_clipped: Flags) -> None:
        """Note what happened in the next steps, (B, n) each."""
        self.gain_reduced += gain_reduced.sum(1)
        self.scale_clipped += scale_clipped.sum(1)
        either = gain_reduced | scale_clipped
        new = (self.first < 0) & either.any(1)
        self.first[new] = self.steps + either[new].argmax(1)
        self.steps += either.shape[1]

    def report(self, take: int, step_s: float) -> dict[str, float | None]:
        """For people and machines: seconds in which either happened, and when first."""
        first = int(self.first[take])
        return {
            "gain_reduced_seconds": round(int(self.gain_reduced[take]) * step_s, 4),
            "scale_clipped_seconds": round(int(self.scale_clipped[take]) * step_s, 4),
            "first_seconds": None if first < 0 else round(first * step_s, 4),
        }


class FreeRun(ABC):
    """B takes that go on from the same past, each on its own way.

    Args:
        model: the model.
        rows: (N, width) as stored, what it heard before; up to ``hop - 1`` rows at the beginning are left
            out, so that the last step ends with the last row.
        sampling: how the takes are drawn.
    """

    def __init__(self, model: TrainedModel, rows: Rows, sampling: SamplingOptions) -> None:
        self.model, self.sampling = model, sampling
        self.limiter = LimiterLog.of(sampling.takes)
        self._draws = Draws(sampling, model.framing.target_size)
        self.hear(rows[len(rows) % model.framing.hop :])

    def rows(self, count: int) -> Iterator[Rows]:
        """The next ``count`` rows in portions (B, n, width), as stored; whole steps, so some may be over."""
        for uniform, noise in self._draws.portions(self.model.framing.steps(count)):
            yield self.draw(uniform, noise)

    def take(self, count: int) -> Rows:
        """Return the next ``count`` rows (B, count, width), as stored, while a progress bar counts steps.

        What the last step predicts beyond them is lost.
        """
        frames = self.model.framing
        portions = [np.empty((self.sampling.takes, 0, frames.width), self.model.representation.row_dtype)]
        with progress_bar("steps") as bar:
            task = bar.add_task("generate", total=frames.steps(count), note="")
            for portion in self.rows(count):
                portions.append(portion)
                bar.advance(task, portion.shape[1] // frames.hop)
        return np.concatenate(portions, axis=1)[:, :count]

    @abstractmethod
    def hear(self, rows: Rows) -> None:
        """Begin with what these rows (N, width) leave in memory; N is a multiple of the hop."""

    @abstractmethod
    def draw(self, uniform: NDArray[np.float32], noise: NDArray[np.float32]) -> Rows:
        """The rows (B, n * hop, width) of the next steps, of random numbers (B, n) and (B, n, D)."""


def maximum_scale(model: TrainedModel) -> float:
    """The largest standard deviation that is drawn with, in normalised values (see `MAX_SCALE`)."""
    given_neighbours = (
        model.representation.rows_are_samples
        and head_kind(model.model.head, model.model.covariance).knows_neighbours
    )
    return MAX_SCALE_GIVEN_NEIGHBOURS if given_neighbours else MAX_SCALE
