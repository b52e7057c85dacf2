"""Frames of a log spectrogram: a row is one frame; the algorithm of Griffin and Lim restores the sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.audio.pcm import to_int16
from pipeline.config.inputs import SpectrogramConfig
from pipeline.features.representation import FrameRepresentation, Rows
from pipeline.features.spectrogram import Spectrogram

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.audio.pcm import Samples

SEAM_FRAMES = 8
"""Frames before the seam that take part in the inversion of a spectrogram, so that its phase runs through."""


@dataclass(frozen=True)
class SpectrogramFrames(FrameRepresentation):
    """The frames of a recording's spectrogram: natural logarithms of magnitudes."""

    config: SpectrogramConfig

    step = 0.01
    """Natural-log units that count as one quantisation step (0.09 dB)."""
    restoring = "row = x * std + mean, held between low and high"

    @cached_property
    def analysis(self) -> Spectrogram:
        """The spectrogram that the configuration describes; `UserError` where its numbers do not fit."""
        config = self.config
        return Spectrogram(
            sample_rate=config.sample_rate,
            window_length=config.window_length,
            hop_length=config.hop_length,
            n_fft=config.n_fft,
            n_mels=config.n_mels,
            min_frequency_hz=config.min_frequency_hz,
            max_frequency_hz=config.max_frequency_hz or config.sample_rate / 2,
            floor=config.floor,
        )

    @property
    def row_width(self) -> int:
        """Bins or mel bands of a frame."""
        return self.analysis.dimension

    @property
    def row_dtype(self) -> np.dtype[Any]:
        """The floating-point type that the configuration names."""
        return np.dtype(self.config.dtype)

    @property
    def row_rate_hz(self) -> float:
        """Frames per second."""
        return self.config.row_rate_hz

    @property
    def sample_rate(self) -> int:
        """Rate that every recording is converted to, in Hz."""
        return self.config.sample_rate

    @property
    def samples_per_row(self) -> int:
        """Samples from one frame to the next."""
        return self.config.hop_length

    def to_stored(self, rows: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Return frames within the range of the training split.

        A single extreme value in the logarithm of a magnitude would become a loud click.
        """
        return rows.clamp(low, high)

    def rows_of_blocks(self, blocks: Iterable[Samples]) -> Iterator[Rows]:
        """Yield the frames of blocks of samples (n,), computed on a GPU if there is one."""
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        for frames in self.analysis.stream(blocks, device):
            yield frames.astype(self.row_dtype)

    def rows_within(self, samples: int) -> int:
        """Return the frames whose windows end within the recording: the others contain silence after it."""
        return max(0, 1 + (samples - self.config.window_length // 2) // self.config.hop_length)

    def samples_of(self, rows: Rows, seed: int) -> Samples:
        """Return the samples of the frames (T, D), (T - 1) * hop_length of them."""
        import torch

        return to_int16(self.analysis.invert(torch.from_numpy(rows.astype(np.float32)), seed=seed).numpy())

    @property
    def seam_rows(self) -> int:
        """Frames before others that are inverted with them."""
        return SEAM_FRAMES

    def samples_after(self, before: Rows, rows: Rows, seed: int) -> Samples:
        """Return the samples of frames (T, D) after others, T * hop_length or more."""
        seam = before[-SEAM_FRAMES:]
        samples = self.samples_of(np.concatenate([seam, rows, rows[-1:]]), seed)
        return samples[len(seam) * self.config.hop_length :]
