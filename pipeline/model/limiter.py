"""A limiter for free-running generation: its level stays at most that of the training split.

In free running a model may drift to levels beyond those of its training. The limiter reduces the gain of a
block where the level of the last moments exceeds the loudest of the training split. The model then reads the
quieter block and returns to the levels that it was trained on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.data.dataset import Dataset

MOMENT_S = 0.05
"""Levels are root mean squares over moments of this length: a few periods of a deep voice."""

MOMENTS = 20_000
"""Moments of the training split that are looked at."""


def loudest_level(dataset: Dataset) -> float:
    """Return the loudest moment of the training split, as a root mean square of normalised values.

    Of a large split only some moments are measured, the same ones each time.
    """
    chosen = dataset.require("train")
    length = round(MOMENT_S * dataset.representation.row_rate_hz)
    random = np.random.default_rng(0)
    ends = np.cumsum(dataset.length[chosen])
    loudest = 0.0
    for position in random.integers(0, ends[-1], min(MOMENTS, -(-int(ends[-1]) // length))):
        index = int(np.searchsorted(ends, position, side="right"))
        begin = int(position - ends[index] + dataset.length[chosen][index])
        moment = dataset.recording_rows(int(chosen[index]))[begin : begin + length].float()
        loudest = max(loudest, float(moment.square().mean()))
    return math.sqrt(loudest) * dataset.representation.unit / dataset.normalisation.std[0]


@dataclass(frozen=True)
class RmsLimiter:
    """A limiter that reduces the gain of blocks where the running level exceeds ``limit``.

    Attributes:
        limit: loudest root mean square, in normalised values.
        memory: share of the running power that one block leaves in place.
    """

    limit: float
    memory: float

    @classmethod
    def of(cls, limit: float, hop: int, sample_rate: float) -> RmsLimiter:
        """Return a limiter for blocks of ``hop`` samples.

        Args:
            limit: highest root mean square, in normalised values.
            hop: samples of a block.
            sample_rate: in Hz.
        """
        return cls(limit, math.exp(-hop / (MOMENT_S * sample_rate)))

    def __call__(self, values: Tensor, power: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reduce the gain of blocks whose running level exceeds the limit.

        Args:
            values: normalised values, (B, D).
            power: running mean square before the blocks, (B,) float64.

        Returns:
            The blocks, with a reduced gain where needed; the power after them; and where (B,) it was reduced.

        Example:
            A block of RMS 2 against a limit of 1, without memory:

            >>> import torch
            >>> limiter = RmsLimiter(limit=1.0, memory=0.0)
            >>> values, power, reduced = limiter(torch.full((1, 4), 2.0), torch.zeros(1))
            >>> values.tolist(), reduced.tolist()
            ([[1.0, 1.0, 1.0, 1.0]], [True])
        """
        block = values.nan_to_num(0.0, 0.0, 0.0).double().square().mean(-1)
        before = self.memory * power
        loud = before + (1 - self.memory) * block > self.limit**2
        # So far down that the running power ends at the limit, or to nothing where that is not enough.
        room = (self.limit**2 - before).clamp(min=0) / (1 - self.memory)
        gain = (room / block).sqrt().where(loud, 1.0)
        after = before + (1 - self.memory) * gain.square() * block
        return (values * gain.to(values.dtype).unsqueeze(-1)).where(loud.unsqueeze(-1), values), after, loud
