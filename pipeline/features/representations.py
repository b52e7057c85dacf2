"""The one module that knows which kinds of input there are: what a row is, and how it meets the model.

A kind says what is stored of a recording (int16 samples, spectrogram frames), how steps are framed, how
values are normalised, and whether they are quantised. Everything else sees rows and steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
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
    from pipeline.features.spectrogram import Spectrogram


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
