"""What a run is made of, typed: every field says its meaning and unit, and impossible values are refused.

Signal code and models never see these classes: configuration stops at the functions of `pipeline` that
build them, which pass plain numbers on. The same classes are the parameters of the Prefect flows, so the
docstrings below are also what its form shows.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipeline.splits import Split

RESERVED_ALIASES = ("champion", "latest")


def _not_reserved(name: str) -> str:
    """Names that mean something else in the model registry, `v1` among them, cannot name a variant."""
    if name in RESERVED_ALIASES or (name[0] == "v" and name[1:].isdigit()):
        raise ValueError(f"{name} has a meaning of its own in the model registry; choose another name")
    return name


Scalar = bool | int | float | str | None
AnyPath = Annotated[Path, Field(strict=False)]
Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$"), AfterValidator(_not_reserved)]
Rate = Annotated[int, Field(ge=2_000, le=384_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Section(BaseModel):
    """Strict about types and names: a misspelt key or `true` for a number is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class CorpusConfig(Section):
    """The recordings and how they are split."""

    inputs: list[AnyPath] = []
    """Folders, audio files, CSV files with a column `path`, or text lists of paths."""
    group: str = "folder"
    """What keeps recordings together in one split: `folder` (a speaker's folder), `recording` (each on its
    own), or the name of a CSV column."""
    folder_level: Positive = 1
    """Which folder below an input names the group: 1 is the first."""
    valid_fraction: Fraction = 0.1
    """Share of groups held out to stop training and choose among models."""
    test_fraction: Fraction = 0.1
    """Share of groups held out for the reported figures."""
    split_seed: Seed = 0
    """Another seed draws other splits."""

    @model_validator(mode="after")
    def _something_left_to_train_on(self) -> Self:
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError("valid_fraction + test_fraction must stay below 1")
        return self


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


InputConfig = Annotated[WaveformConfig | SpectrogramConfig, Field(discriminator="kind")]


class ModelConfig(Section):
    """The recurrent predictor."""

    cell: Literal["tanh", "gru", "lstm", "study-tanh", "study-gru", "study-lstm"] = "gru"
    """Recurrent unit, in the form of the library's kernels; or, with `study-`, exactly as the study has it:
    diagonal peepholes in the LSTM, the reset gate before the GRU's recurrent product, one bias."""
    hidden_size: Positive = 227
    """Units of each layer. 400 tanh, 227 GRU and 195 LSTM units have equally many parameters in the study."""
    num_layers: Positive = 1
    """Recurrent layers, one on top of the other."""
    dropout: Fraction = 0.0
    """Share of a layer's outputs dropped on the way to the next while training."""
    mixture_components: Positive = 20
    """Gaussians in the mixture over a step's outputs."""
    scale_floor: Annotated[float, Field(gt=0)] = 0.1
    """Smallest standard deviation, in quantisation steps: one step of 16-bit audio, or 0.01 natural-log
    units (0.09 dB) of a spectrogram."""


class TrainConfig(Section):
    """How the weights are fitted."""

    epochs: Positive = 10
    """Passes over the training split."""
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    """Stop after this much time in the training loop, even before the last epoch."""
    sequences: Literal["carried", "independent"] = "carried"
    """`carried`: recordings run through their full length with the state carried from chunk to chunk;
    `independent`: chunks are sequences of their own that start from an empty state, as the study's are."""
    batch_size: Positive = 32
    """Sequences side by side in an update."""
    chunk_steps: Positive = 100
    """Steps through which the gradient flows back."""
    optimizer: Literal["adam", "adamw", "rmsprop"] = "adam"
    """Update rule."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    """Highest learning rate."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the learning rate falls over the epochs, to final_learning_rate_fraction of it."""
    final_learning_rate_fraction: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Learning rate at the end, as a share of the highest."""
    warmup_updates: Annotated[int, Field(ge=0)] = 50
    """Updates over which the learning rate rises from nothing."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay (adamw) or L2 penalty (adam, rmsprop)."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """The gradient is rescaled to this norm when it is larger."""
    patience_epochs: Positive = 5
    """Stop when the validation loss has not improved for this many epochs."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the recurrent layers; the mixture always computes in float32."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """`auto` takes the GPU when there is one; or `cpu`, `cuda`, `cuda:1`."""
    checkpoint_updates: Positive = 200
    """Updates between checkpoints; a killed run repeats fewer than this."""
    log_updates: Positive = 20
    """Updates averaged into one point of the training curve."""
    seed: Seed = 0
    """Draws the first weights and the order of the recordings."""


class EvaluateConfig(Section):
    """The figures reported for a model."""

    split: Split = "test"
    """The recordings that are scored."""
    linear_order: Positive = 32
    """Order of the fixed linear predictor beside the model."""


class SamplesConfig(Section):
    """Continuations of held-out recordings, made for listening after every training."""

    count: Annotated[int, Field(ge=0)] = 2
    """How many held-out recordings are continued."""
    prime_seconds: Annotated[float, Field(gt=0)] = 2.0
    """How much of each recording the model hears first, in seconds."""
    seconds: Annotated[float, Field(gt=0)] = 2.0
    """How much it adds, in seconds."""
    temperature: Annotated[float, Field(ge=0)] = 0.9
    """1 draws from the model's distribution, which grows too loud once it hears only itself; less is calmer,
    0 takes the most likely."""


class TrackingConfig(Section):
    """Where runs and models are recorded."""

    uri: str | None = None
    """MLflow tracking server or store; none means MLFLOW_TRACKING_URI, else a local SQLite store."""
    experiment: str = "wavecast"
    """MLflow experiment that collects the runs."""
    registered_model: Annotated[str, Field(pattern=r"^[^/:@]+$")] = "wavecast"
    """Name in the model registry; its alias `champion` is what the command line uses by default."""


class RunConfig(Section):
    """One run of the whole pipeline: prepare, train each variant, evaluate, promote the best, continue."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "wavecast"
    """Names the run's folders; letters, digits, dot, underscore and hyphen."""
    corpus: CorpusConfig = CorpusConfig()
    input: InputConfig = WaveformConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    samples: SamplesConfig = SamplesConfig()
    tracking: TrackingConfig = TrackingConfig()
    variants: dict[VariantName, dict[str, Scalar]] = {}
    """Models trained side by side on the same data: a name for each, and what it changes, as dotted keys
    (`model.cell: lstm`). The name becomes an alias in the model registry. Empty trains the one model
    described above."""
