"""Between stored rows and the values that a model sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audio.pcm import INT16_SCALE
from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Normalisation:
    """Mean, standard deviation and range of the training split, per value of a row (width,).

    Without a range, values are unbounded.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def tensors(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation as float32 tensors (width,)."""
        import torch

        return torch.tensor(self.mean, device=device), torch.tensor(self.std, device=device)


class Normaliser:
    """Between stored rows and the values that the model sees, on one device."""

    def __init__(self, config: InputConfig, normalisation: Normalisation, device: torch.device) -> None:
        import torch

        self.unit = unit(config)
        self.quantised = isinstance(config, WaveformConfig)
        self.notes = isinstance(config, PianoRollConfig)
        self.mean, self.std = normalisation.tensors(device)
        self.low = torch.tensor(normalisation.low or [-math.inf], device=device)
        self.high = torch.tensor(normalisation.high or [math.inf], device=device)

    def normalise(self, rows: Tensor) -> Tensor:
        """Stored rows (..., width) to float32 values of mean 0 and variance 1 over the training split."""
        return (rows.float() * self.unit - self.mean) / self.std

    def restore(self, values: Tensor) -> Tensor:
        """Values (..., width) to stored rows.

        Samples are rounded and clipped to 16 bits, notes are on or off. Frames are kept within the training
        split's range: one wild value in the logarithm of a magnitude would be heard as a bang.
        """
        rows = (values * self.std + self.mean) / self.unit
        if self.quantised:
            return rows.round().clamp(-INT16_SCALE, INT16_SCALE - 1).short()
        if self.notes:
            return rows.round().clamp(0, 1).byte()
        return rows.clamp(self.low, self.high)

    def interval(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Bounds of the quantisation interval of integer samples (...), in normalised values, float64.

        The outermost intervals reach to infinity, so that the probabilities of all 65,536 values sum to 1.
        """
        integers = rows.double()
        mean, std = self.mean.double(), self.std.double()
        lower = ((integers - 0.5) * self.unit - mean) / std
        upper = ((integers + 0.5) * self.unit - mean) / std
        lower = lower.masked_fill(integers <= -INT16_SCALE, -math.inf)
        return lower, upper.masked_fill(integers >= INT16_SCALE - 1, math.inf)


SPECTROGRAM_STEP = 0.01
"""Natural-log units that count as one quantisation step of a spectrogram (0.09 dB)."""


def unit(config: InputConfig) -> float:
    """What a stored number is worth: 1 / 32768 for integer samples, 1 for spectrogram values."""
    return 1 / INT16_SCALE if isinstance(config, WaveformConfig) else 1.0


def quantisation_step(config: InputConfig, normalisation: Normalisation) -> float:
    """One quantisation step in normalised values; for a spectrogram, in those of its widest bin."""
    step = SPECTROGRAM_STEP if isinstance(config, SpectrogramConfig) else unit(config)
    return step / max(normalisation.std)
