"""Raw samples: a row is one 16-bit integer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.audio.pcm import INT16_SCALE
from pipeline.config.inputs import WaveformConfig
from pipeline.features.representation import Rows, SoundRepresentation

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.audio.pcm import Samples
    from pipeline.features.normalisation import Normalisation


@dataclass(frozen=True)
class Waveform(SoundRepresentation):
    """The samples of a recording."""

    config: WaveformConfig

    quantised = True
    rows_are_samples = True
    unit = 1 / INT16_SCALE
    restoring = "row = round((x * std + mean) / unit), held between -32768 and 32767"
    row_width = 1
    row_dtype = np.dtype("int16")
    samples_per_row = 1

    @property
    def row_rate_hz(self) -> float:
        """The sample rate."""
        return self.config.row_rate_hz

    @property
    def sample_rate(self) -> int:
        """Rate that every recording is converted to, in Hz."""
        return self.config.sample_rate

    @property
    def window(self) -> int:
        """Samples that the network reads at a time."""
        return self.config.window

    @property
    def hop(self) -> int:
        """Samples that a step predicts."""
        return self.config.hop

    def stored_bits(self, normalisation: Normalisation) -> float:
        """Return 16."""
        return 8.0 * self.row_dtype.itemsize

    def to_stored(self, rows: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Return rows rounded to 16-bit integers, and clipped to their range."""
        return rows.round().clamp(-INT16_SCALE, INT16_SCALE - 1).short()

    def rows_of_blocks(self, blocks: Iterable[Samples]) -> Iterator[Rows]:
        """Give each sample (n,) a row of its own (n, 1)."""
        return (block[:, None] for block in blocks)

    def rows_within(self, samples: int) -> int:
        """Return all of them."""
        return samples

    def samples_of(self, rows: Rows, seed: int) -> Samples:
        """Return the rows as samples."""
        return rows[:, 0]

    def samples_after(self, before: Rows, rows: Rows, seed: int) -> Samples:
        """Return the rows as samples."""
        return rows[:, 0]
