"""Settings of the kinds of input: what a recording is turned into before a model sees it."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from pipeline.config.types import Positive, Rate, Section


class WaveformConfig(Section):
    """Samples in, samples out: the study looks at 20 and predicts the next 10."""

    kind: Literal["waveform"] = "waveform"
    """`waveform`: samples as they are."""
    sample_rate: Rate = 16_000
    """Rate that every recording is converted to, in Hz."""
    window: Positive = 20
    """Samples that a step sees."""
    hop: Positive = 10
    """Samples that a step predicts; the next step begins this many samples later."""


class SpectrogramConfig(Section):
    """One frame of a log spectrogram in, the next frame out."""

    kind: Literal["spectrogram"]
    """`spectrogram`: frames of logarithmic magnitudes."""
    sample_rate: Rate = 16_000
    """Rate that every recording is converted to, in Hz."""
    window_length: Positive = 400
    """Analysis window, in samples."""
    hop_length: Positive = 160
    """Samples from one frame to the next."""
    n_fft: Positive = 512
    """Length of the Fourier transform, in samples."""
    n_mels: Annotated[int, Field(ge=0)] = 80
    """Mel bands; 0 keeps the transform's own bins between the two frequencies."""
    min_frequency_hz: Annotated[float, Field(ge=0)] = 0.0
    """Lower edge of the lowest mel band, or lowest bin kept, in Hz."""
    max_frequency_hz: Annotated[float, Field(gt=0)] | None = None
    """Upper edge of the highest mel band, or highest bin kept, in Hz; none means half the sample rate."""
    floor: Annotated[float, Field(gt=0)] = 1e-3
    """Smallest magnitude before the logarithm, full scale being a sample value of 1."""
    dtype: Literal["float16", "float32"] = "float16"
    """How prepared frames are stored."""

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if not 2 * self.hop_length <= self.window_length <= self.n_fft:
            raise ValueError("2 * hop_length <= window_length <= n_fft must hold")
        if self.n_fft % 2:
            raise ValueError("n_fft must be even")
        highest_hz = self.max_frequency_hz or self.sample_rate / 2
        if not self.min_frequency_hz < highest_hz <= self.sample_rate / 2:
            raise ValueError("min_frequency_hz < max_frequency_hz <= sample_rate / 2 must hold")
        return self


class PianoRollConfig(Section):
    """Which of 88 keys sound at each step, the next step out."""

    kind: Literal["piano-roll"]
    """`piano-roll`: notes on and off, from MIDI files or from sets of sequences in .mat or .npz."""
    steps_per_quarter: Positive = 4
    """Steps to a quarter note of a MIDI file."""
    quarters_per_minute: Annotated[float, Field(gt=0)] = 120.0
    """Tempo of what is written."""


READ_LATER = {"window", "hop", "quarters_per_minute"}
"""Settings that say how prepared rows are read or played; all others determine the rows themselves."""

InputConfig = Annotated[WaveformConfig | SpectrogramConfig | PianoRollConfig, Field(discriminator="kind")]

KINDS: tuple[str, ...] = tuple(
    get_args(each.model_fields["kind"].annotation)[0] for each in get_args(get_args(InputConfig)[0])
)
"""The kinds by name. Pydantic puts one between `input` and a key where it reports a problem."""


def row_settings(config: InputConfig) -> dict[str, Any]:
    """Return the settings that determine the rows stored for a recording; the others are in `READ_LATER`."""
    return config.model_dump(exclude=READ_LATER)
