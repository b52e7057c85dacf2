"""Notes: a row is which of the 88 keys of a piano sound at a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.config.inputs import PianoRollConfig
from pipeline.features.representation import NoteRepresentation
from pipeline.music.midi import KEYS

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.features.normalisation import Normalisation


@dataclass(frozen=True)
class PianoRoll(NoteRepresentation):
    """The notes of a piece, 0 and 1, at equal steps."""

    config: PianoRollConfig

    unscored = 1
    restoring = "row = x"
    row_width = KEYS
    row_dtype = np.dtype("uint8")

    @property
    def row_rate_hz(self) -> float:
        """Steps per second at the tempo of what is written."""
        return self.config.row_rate_hz

    @property
    def steps_per_quarter(self) -> int:
        """Steps to a quarter note."""
        return self.config.steps_per_quarter

    @property
    def quarters_per_minute(self) -> float:
        """Tempo of what is written."""
        return self.config.quarters_per_minute

    def stored_bits(self, normalisation: Normalisation) -> float:
        """Return one bit for each key."""
        return float(self.row_width)

    def to_stored(self, rows: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Return 0 or 1 for each key."""
        return rows.round().clamp(0, 1).byte()

    def moments(
        self, mean: NDArray[np.float64], std: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean 0 and standard deviation 1: a model reads notes as 0 and 1."""
        return np.zeros_like(mean), np.ones_like(std)
