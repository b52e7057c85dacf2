"""Free running: a model conditioned on a recording, then on its own output; base of both implementations."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.head_kinds import head_kind
from pipeline.common.progress import progress_bar
from pipeline.generation.context import ContextRows, Rows
from pipeline.generation.options import Draws, SamplingOptions
from pipeline.model.trained_model import TrainedModel

Flags = NDArray[np.bool_]

MAX_SCALE = 1.0
MAX_SCALE_GIVEN_NEIGHBOURS = 0.5
"""Largest standard deviations for drawing, in units of the data's standard deviation.

For inputs unlike the training data a model predicts a wide distribution, and its draws are then inputs of the
same kind. A sample given the previous one has a far smaller deviation. With half of the data's deviation,
free-running speech is 2 to 7 dB quieter than with the whole, and nearer to the training split.
"""


@dataclass
class LimiterLog:
    """Counts of the steps in which the limiter acted, for each take.

    ``gain_reduced`` counts steps that were louder than the training split ever is (see
    `pipeline.model.limiter`). ``scale_clipped`` counts steps whose predicted standard deviation was above
    the largest that is allowed (see `MAX_SCALE`).
    """

    gain_reduced: NDArray[np.int64]
    scale_clipped: NDArray[np.int64]
    first: NDArray[np.int64]
    """The first such step, or -1."""
    steps: int = 0

    @classmethod
    def of(cls, takes: int) -> "LimiterLog":
        """Return an empty log."""
        return cls(np.zeros(takes, np.int64), np.zeros(takes, np.int64), np.full(takes, -1))

    def note(self, gain_reduced: Flags, scale_clipped: Flags) -> None:
        """Add the flags of the next steps.

        Args:
            gain_reduced, scale_clipped: where each limit acted, (B, n).
        """
        self.gain_reduced += gain_reduced.sum(1)
        self.scale_clipped += scale_clipped.sum(1)
        either = gain_reduced | scale_clipped
        new = (self.first < 0) & either.any(1)
        self.first[new] = self.steps + either[new].argmax(1)
        self.steps += either.shape[1]

    def report(self, take: int, step_s: float) -> dict[str, float | None]:
        """Return the seconds in which each limit acted, and the start of the first such step in seconds.

        Args:
            take: index of the take.
            step_s: length of a step in seconds.
        """
        first = int(self.first[take])
        return {
            "gain_reduced_seconds": round(int(self.gain_reduced[take]) * step_s, 4),
            "scale_clipped_seconds": round(int(self.scale_clipped[take]) * step_s, 4),
            "first_seconds": None if first < 0 else round(first * step_s, 4),
        }


class FreeRun(ABC):
    """B independent takes that continue the same context.

    Args:
        model: any trained model.
        context: stored rows (N, width), in memory or in blocks. Up to ``hop - 1`` rows at the
            beginning are left out, so that the last step ends with the last row.
        sampling: number of takes and options of the draws.
    """

    def __init__(self, model: TrainedModel, context: Rows | ContextRows, sampling: SamplingOptions) -> None:
        self.model, self.sampling = model, sampling
        self.limiter = LimiterLog.of(sampling.takes)
        self._draws = Draws(sampling, model.framing.target_size)
        self.condition(ContextRows.of(context) if isinstance(context, np.ndarray) else context)

    def rows(self, count: int) -> Iterator[Rows]:
        """Yield the next ``count`` stored rows in portions (B, n, width), rounded up to whole steps."""
        for uniform, noise in self._draws.portions(self.model.framing.steps(count)):
            yield self.draw(uniform, noise)

    def take(self, count: int) -> Rows:
        """Return the next ``count`` stored rows (B, count, width), with a progress bar over steps.

        Rows of the last step after these are discarded.
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
    def condition(self, context: ContextRows) -> None:
        """Condition the state on stored rows (N, width), without the first ones that fill no step."""

    @abstractmethod
    def draw(self, uniform: NDArray[np.float32], noise: NDArray[np.float32]) -> Rows:
        """Return the rows (B, n * hop, width) of the next steps.

        Args:
            uniform: random numbers (B, n) in [0, 1).
            noise: standard normal numbers (B, n, D).
        """


def maximum_scale(model: TrainedModel) -> float:
    """Return the largest standard deviation for drawing, in normalised values (see `MAX_SCALE`)."""
    given_neighbours = (
        model.representation.rows_are_samples
        and head_kind(model.model.head, model.model.covariance).knows_neighbours
    )
    return MAX_SCALE_GIVEN_NEIGHBOURS if given_neighbours else MAX_SCALE
