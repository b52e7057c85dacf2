"""The one module that knows which kinds of input there are: what a row is, and how it meets the model.

A kind says what is stored of a recording (int16 samples, spectrogram frames), how steps are framed, how
values are normalised, and whether they are quantised. Everything else sees rows and steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.inputs import (
    AudioConfig,
    InputConfig,
    PianoRollConfig,
    SpectrogramConfig,
    WaveformConfig,
)
from pipeline.config.model import ModelConfig
from pipeline.features.framing import Framing
from pipeline.music.midi import KEYS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pipeline.features.spectrogram import Spectrogram

INT16_SCALE = 32_768
"""Full scale of 16-bit audio: sample values are integers divided by this."""

SPECTROGRAM_STEP = 0.01
"""Natural-log units that count as one quantisation step of a spectrogram (0.09 dB)."""


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


def framing(config: InputConfig, model: ModelConfig) -> Framing:
    """How rows of this kind become the steps of a model.

    Convolutions with strides read several windows, each a hop after the other, for one prediction, which
    then covers as many hops; an autoregressive head looks further back than the network.
    """
    window, advance = window_and_advance(config)
    stride = math.prod(stride for _, _, stride in model.convolutions)
    seen = window + (stride - 1) * advance
    if model.covariance == "autoregressive":
        seen = max(seen, model.autoregressive_order)
    unscored = 1 if isinstance(config, PianoRollConfig) else 0
    return Framing(seen, stride * advance, row_width(config), unscored)


def window_and_advance(config: InputConfig) -> tuple[int, int]:
    """Rows that the network reads at a time, and rows from one reading to the next."""
    return (config.window, config.hop) if isinstance(config, WaveformConfig) else (1, 1)


def row_width(config: InputConfig) -> int:
    """Values of one stored row."""
    if isinstance(config, SpectrogramConfig):
        return analysis(config).dimension
    return KEYS if isinstance(config, PianoRollConfig) else 1


def row_dtype(config: InputConfig) -> np.dtype[Any]:
    """How a row is stored."""
    if isinstance(config, SpectrogramConfig):
        return np.dtype(config.dtype)
    return np.dtype("uint8" if isinstance(config, PianoRollConfig) else "int16")


def row_rate_hz(config: InputConfig) -> float:
    """Rows a second."""
    if isinstance(config, SpectrogramConfig):
        return config.sample_rate / config.hop_length
    if isinstance(config, PianoRollConfig):
        return config.steps_per_quarter * config.quarters_per_minute / 60
    return float(config.sample_rate)


def rows_of_blocks(config: AudioConfig, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Blocks of int16 samples (n,) of one recording to blocks of rows (r, width) as they are stored."""
    if isinstance(config, WaveformConfig):
        yield from (block[:, None] for block in blocks)
        return
    import torch

    dtype = row_dtype(config)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for frames in analysis(config).stream(blocks, device):
        yield frames.astype(dtype)


def analysis(config: SpectrogramConfig) -> Spectrogram:
    """The spectrogram that the configuration describes."""
    from pipeline.features.spectrogram import Spectrogram

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


def unit(config: InputConfig) -> float:
    """What a stored number is worth: 1 / 32768 for integer samples, 1 for spectrogram values."""
    return 1 / INT16_SCALE if isinstance(config, WaveformConfig) else 1.0


def quantisation_step(config: InputConfig, normalisation: Normalisation) -> float:
    """One quantisation step in normalised values; for a spectrogram, in those of its widest bin."""
    step = SPECTROGRAM_STEP if isinstance(config, SpectrogramConfig) else unit(config)
    return step / max(normalisation.std)


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
