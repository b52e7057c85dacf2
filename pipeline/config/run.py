"""Settings of a run: typed classes with the meaning, the unit and the bounds of each setting.

The field docstrings are printed by `wavecast config` and shown in Prefect's form, since the same classes
are the parameters of the flows. Signal code and models receive plain numbers, not these classes.
"""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from models.head_kinds import COVARIANCES, HEADS
from pipeline.config.inputs import InputConfig, WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.config.places import AnyPlace
from pipeline.config.preparation import PreparationConfig
from pipeline.config.promotion import PromotionConfig
from pipeline.config.runners import RunnersConfig
from pipeline.config.training import TrainConfig
from pipeline.config.tuning import TuningConfig
from pipeline.config.types import Fraction, Positive, Section, Seed, Split, Value

RESERVED_ALIASES = ("champion", "previous", "latest")
DEFAULT_NAME = "wavecast"
"""Name of a run, and of a registered model, that is given no other."""


def _not_reserved(name: str) -> str:
    """Return the name of a variant, unless the model registry reserves it, such as `v1`."""
    if name in RESERVED_ALIASES or (name[0] == "v" and name[1:].isdigit()):
        raise ValueError(f"{name} has a meaning of its own in the model registry; choose another name")
    return name


VariantName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$"), AfterValidator(_not_reserved)]


def _names_the_speaker(pattern: str) -> str:
    """Return a regular expression that has a group named `speaker`."""
    try:
        named = re.compile(pattern).groupindex
    except (re.error, RecursionError, OverflowError, MemoryError) as problem:
        raise ValueError(f"{pattern!r} is not a regular expression: {problem}") from None
    if "speaker" not in named:
        raise ValueError(f"{pattern!r} has no group named speaker: write (?P<speaker>...) around the name")
    return pattern


SpeakerPattern = Annotated[str, AfterValidator(_names_the_speaker)]


class CorpusConfig(Section):
    """The recordings and how they are split."""

    inputs: list[AnyPlace] = Field(default_factory=list)
    """Folders, audio files, manifests, CSV files with a column `path`, or text files with a path a line.
    Each may be an address such as `s3://bucket/folder`."""
    group: str = "auto"
    """What defines a group, whose recordings all go into one split: `auto` (the speaker, found from the
    layout, tables, folders or names), `folder` (a folder at `folder_level`), `recording` (each is a group),
    or the name of a CSV column."""
    folder_level: Positive | None = None
    """Level of the folder that names the group: 1 is the first below an input. Null: it is found."""
    speaker_pattern: SpeakerPattern | None = None
    """Regular expression that finds the speaker in the path below the input, as `(?P<speaker>...)`, and
    perhaps the split, as `(?P<split>...)`. Null: the speaker is found as `group` states."""
    splits: Literal["published", "drawn"] | None = None
    """Source of the splits: `published` (as the corpus gives them) or `drawn`. Null: as published, where
    training recordings and others are among them, else drawn."""
    valid_fraction: Fraction = 0.1
    """Fraction of groups held out for early stopping and for choosing among models."""
    test_fraction: Fraction = 0.1
    """Fraction of groups held out for the reported figures."""
    split_seed: Seed = 0
    """Seed of the assignment of groups to splits."""

    @model_validator(mode="after")
    def _something_left_to_train_on(self) -> Self:
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError("valid_fraction + test_fraction must stay below 1")
        return self


class EvaluateConfig(Section):
    """The figures reported for a model."""

    split: Split = "test"
    """The split that is scored."""
    linear_order: Positive = 32
    """Order of the fixed linear predictor that serves as a baseline."""
    horizons: list[Positive] = Field(default_factory=list)
    """Numbers of steps ahead that are also scored, without conditioning on the steps between."""
    context_steps: Positive = 400
    """Number of true steps that the model is conditioned on before it predicts further ahead."""


class SamplesConfig(Section):
    """Continuations of held-out recordings, generated after every training."""

    section: ClassVar[str] = "samples"

    count: Annotated[int, Field(ge=0)] = 2
    """Number of held-out recordings that are continued."""
    context_seconds: Annotated[float, Field(gt=0)] = 2.0
    """Length of the context that the model is conditioned on, in seconds."""
    seconds: Annotated[float, Field(gt=0)] = 2.0
    """Length of the continuation, in seconds."""
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """Temperature of the choice of mixture component (for notes, of each note): 1 as predicted, 0 the most
    likely."""
    noise_scale: Annotated[float, Field(ge=0)] = 0.95
    """Factor of the standard deviations that samples or frames are drawn with. Smaller values give quieter
    and smoother sound, larger ones louder and noisier sound."""


class TrackingConfig(Section):
    """The MLflow store that runs and models are recorded in."""

    uri: str | None = None
    """Address of the MLflow tracking server or store. Null: MLFLOW_TRACKING_URI, else a local SQLite
    store."""
    experiment: str = "wavecast"
    """MLflow experiment that collects the runs."""
    registered_model: Annotated[str, Field(pattern=r"^[^/:@]+$")] | None = None
    """Name in the model registry, where each name has a champion of its own. Null: `wavecast`, followed by
    the run's name if that is another one, as in `wavecast-demo`."""


def _heads_of(*outputs: str) -> str:
    return " or ".join(name for name, head in HEADS.items() if head.outputs in outputs)


class RunConfig(Section):
    """One run of the whole pipeline: prepare, train each variant, evaluate, promote the best, continue."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = DEFAULT_NAME
    """Name of the run, used for its folders: letters, digits, dot, underscore and hyphen."""
    corpus: CorpusConfig = CorpusConfig()
    preparation: PreparationConfig = PreparationConfig()
    run: RunnersConfig = RunnersConfig()
    input: InputConfig = WaveformConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    samples: SamplesConfig = SamplesConfig()
    tracking: TrackingConfig = TrackingConfig()
    promotion: PromotionConfig = PromotionConfig()
    tuning: TuningConfig = TuningConfig()
    variants: dict[VariantName, dict[str, Value]] = Field(default_factory=dict)
    """Models trained side by side on the same data: a name for each, and what it changes, as dotted keys
    (`model.cell: lstm`). A variant may change every setting that leaves the prepared data and the evaluation
    the same. The name becomes an alias in the model registry. Empty trains the one model described above."""

    @property
    def registered_model(self) -> str:
        """Return the name under which the run's models are registered."""
        if self.tracking.registered_model is not None:
            return self.tracking.registered_model
        own = self.name == DEFAULT_NAME or self.name.startswith(f"{DEFAULT_NAME}-")
        return self.name if own else f"{DEFAULT_NAME}-{self.name}"

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        rules = {
            f"model.head={_heads_of('numbers')} is for waveform and spectrogram; "
            f"for piano-roll take {_heads_of('notes')}": (
                (HEADS[self.model.head].outputs == "notes") == (self.input.kind == "piano-roll")
            ),
            f"model.head={self.model.head} is for input.kind=waveform": (
                HEADS[self.model.head].outputs != "samples" or self.input.kind != "spectrogram"
            ),
            f"model.covariance={self.model.covariance} is for input.kind=waveform": (
                COVARIANCES[self.model.covariance].outputs != "samples" or self.input.kind == "waveform"
            ),
            "model.companding is for input.kind=waveform and a predictor without convolutions": (
                not self.model.companding
                or (
                    self.input.kind == "waveform"
                    and self.model.architecture == "predictor"
                    and not self.model.convolutions
                )
            ),
            "model.head=adaptive takes a predictor without model.convolutions and model.companding": (
                not HEADS[self.model.head].adaptive
                or (
                    self.model.architecture == "predictor"
                    and not self.model.convolutions
                    and not self.model.companding
                )
            ),
            "model.head=adaptive draws nothing: it takes samples.count=0 and no evaluate.horizons": (
                not HEADS[self.model.head].adaptive or not (self.samples.count or self.evaluate.horizons)
            ),
            "train.loss=discrete is for heads that give mixtures": (
                self.train.loss != "discrete"
                or HEADS[self.model.head].mixture
                or self.input.kind != "waveform"
            ),
            "train.loss=discrete is for input.kind=waveform": (
                self.train.loss != "discrete" or self.input.kind == "waveform"
            ),
            "train.transpose_semitones is for input.kind=piano-roll": (
                not self.train.transpose_semitones or self.input.kind == "piano-roll"
            ),
            "model.architecture=encoder-decoder takes no model.convolutions": (
                self.model.architecture == "predictor" or not self.model.convolutions
            ),
            "train.scheduled_sampling is for model.architecture=encoder-decoder": (
                not self.train.scheduled_sampling or self.model.architecture == "encoder-decoder"
            ),
            "train.scheduled_sampling needs input.window >= input.hop": (
                not self.train.scheduled_sampling
                or not isinstance(self.input, WaveformConfig)
                or self.input.window >= self.input.hop
            ),
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise ValueError("; ".join(broken))
        return self
