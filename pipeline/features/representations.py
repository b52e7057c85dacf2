"""The kinds of input: the one place where a configuration's kind selects a class."""

from collections.abc import Callable
from typing import Any

from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.features.piano_roll import PianoRoll
from pipeline.features.representation import Representation
from pipeline.features.spectrogram_frames import SpectrogramFrames
from pipeline.features.waveform import Waveform

REPRESENTATIONS: dict[type[InputConfig], Callable[[Any], Representation]] = {
    WaveformConfig: Waveform,
    SpectrogramConfig: SpectrogramFrames,
    PianoRollConfig: PianoRoll,
}


def representation_of(config: InputConfig) -> Representation:
    """Return the representation that a configuration describes."""
    return REPRESENTATIONS[type(config)](config)
