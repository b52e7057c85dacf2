"""Settings of the input: what a recording is converted to before a model reads it."""

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from pipeline.config.types import Positive, Rate, Section


class WaveformConfig(Section):
    """Raw samples. Chung et al. (2014) read 20 samples at each step and predict the next 10."""

    kind: Literal["waveform"] = "waveform"
    """`waveform`: raw samples."""
    sample_rate: Rate = 16_000
    """Sample rate in Hz. Every recording is converted to it."""
    window: Positive = 20
    """Samples that the model reads at each step."""
    hop: Positive = 10
    """Samples that the model predicts at each step, which is also the distance between steps."""

    KEEPS_TIME: ClassVar[bool] = True

    @property
    def row_rate_hz(self) -> float:
        """Samples per second."""
        return float(self.sample_rate)


class SpectrogramConfig(Section):
    """Frames of a log-magnitude spectrogram. Each step reads one frame and predicts the next."""

    kind: Literal["spectrogram"]
    """`spectrogram`: frames of log magnitudes."""
    sample_rate: Rate = 16_000
    """Sample rate in Hz. Every recording is converted to it."""
    window_length: Positive = 400
    """Length of the analysis window, in samples."""
    hop_length: Positive = 160
    """Samples between the starts of successive frames."""
    n_fft: Positive = 512
    """Length of the Fourier transform, in samples."""
    n_mels: Annotated[int, Field(ge=0)] = 80
    """Number of mel bands. 0 keeps the linear frequency bins between the two frequencies."""
    min_frequency_hz: Annotated[float, Field(ge=0)] = 0.0
    """Lower edge of the lowest mel band, or lowest linear bin kept, in Hz."""
    max_frequency_hz: Annotated[float, Field(gt=0)] | None = None
    """Upper edge of the highest mel band, or highest linear bin kept, in Hz. Null: half the sample rate."""
    floor: Annotated[float, Field(gt=0)] = 1e-3
    """Smallest magnitude before the logarithm, relative to a full-scale sample value of 1."""
    dtype: Literal["float16", "float32"] = "float16"
    """Number format of the stored frames."""

    KEEPS_TIME: ClassVar[bool] = True

    @property
    def row_rate_hz(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

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
    """Piano rolls of 88 keys. Each step reads the notes that sound and predicts those of the next step."""

    kind: Literal["piano-roll"]
    """`piano-roll`: notes on or off, from MIDI files, or from sets of sequences in .mat or .npz files."""
    steps_per_quarter: Positive = 4
    """Time steps per quarter note of a MIDI file."""
    quarters_per_minute: Annotated[float, Field(gt=0)] = 120.0
    """Tempo of the MIDI files that are written."""

    KEEPS_TIME: ClassVar[bool] = False
    """Whether rows have the duration of what was recorded: notes keep the beats of a piece, not its tempo."""

    @property
    def row_rate_hz(self) -> float:
        """Time steps per second at the tempo of what is written."""
        return self.steps_per_quarter * self.quarters_per_minute / 60


READ_LATER = {"window", "hop", "quarters_per_minute"}
"""Settings of how prepared rows are read or played; all others determine the rows themselves."""

InputConfig = Annotated[WaveformConfig | SpectrogramConfig | PianoRollConfig, Field(discriminator="kind")]

KINDS: tuple[str, ...] = tuple(
    get_args(each.model_fields["kind"].annotation)[0] for each in get_args(get_args(InputConfig)[0])
)
"""The kinds by name. Pydantic puts one between `input` and a key where it reports a problem."""


def row_settings(config: InputConfig) -> dict[str, Any]:
    """Return the settings that determine the rows stored for a recording; the others are in `READ_LATER`."""
    return config.model_dump(exclude=READ_LATER)
