"""Settings of a search for the best settings: how many trials, in which space, and how they are chosen."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.types import Positive, Scalar, Section, Seed

SMALLEST_RATE, LARGEST_RATE = 6.1e-6, 2.5e-3
"""Learning rates of Chung et al. (2014): e^-12 to e^-6."""


class Range(Section):
    """Two bounds, which both belong to the range."""

    low: float
    """Lowest value."""
    high: float
    """Highest value."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low:g} must be below high = {self.high:g}")
        return self

    def examples(self) -> list[Scalar]:
        """Return the bounds, with which the configuration must be valid."""
        return [self.low, self.high]


class LogUniform(Range):
    """Numbers whose logarithms are equally probable."""

    kind: Literal["log-uniform"]
    """The distribution."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.low <= 0:
            raise ValueError(f"low = {self.low:g} has no logarithm; it must be above 0")
        return self


class Uniform(Range):
    """Numbers that are equally probable."""

    kind: Literal["uniform"]
    """The distribution."""


class Integers(Section):
    """Whole numbers that are equally probable, or, with `log: true`, their logarithms."""

    kind: Literal["integer"]
    """The distribution."""
    low: int
    """Lowest value."""
    high: int
    """Highest value."""
    log: bool = False
    """Draw the logarithm uniformly."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low} must be below high = {self.high}")
        if self.log and self.low < 1:
            raise ValueError(f"low = {self.low} has no logarithm; it must be above 0")
        return self

    def examples(self) -> list[Scalar]:
        """Return the bounds, with which the configuration must be valid."""
        return [self.low, self.high]


class Choices(Section):
    """Values that are equally probable."""

    kind: Literal["choices"]
    """The distribution."""
    values: Annotated[list[Scalar], Field(min_length=1, max_length=1000)]
    """Numbers, texts, true, false or null."""

    @model_validator(mode="after")
    def _different(self) -> Self:
        seen = {(type(value), value) for value in self.values}
        if len(seen) < len(self.values):
            raise ValueError("values: one is named twice")
        return self

    def examples(self) -> list[Scalar]:
        """Return all values, with which the configuration must be valid."""
        return list(self.values)


AnyDistribution = LogUniform | Uniform | Integers | Choices
Distribution = Annotated[AnyDistribution, Field(discriminator="kind")]
DISTRIBUTIONS: tuple[str, ...] = tuple(
    get_args(each.model_fields["kind"].annotation)[0] for each in get_args(AnyDistribution)
)
"""The distributions by name."""


def _with_dotted_keys(space: Any) -> Any:
    """Return a space with one level of keys, also where `--set` has divided them at the dots."""
    if not isinstance(space, Mapping):
        return space
    found: dict[Any, Any] = {}
    for key, value in space.items():
        inner = _with_dotted_keys(value) if isinstance(value, Mapping) and "kind" not in value else None
        if inner and all(isinstance(each, Mapping) for each in inner.values()):
            found |= {f"{key}.{name}": each for name, each in inner.items()}
        else:
            found[key] = value
    return found


def _paper() -> dict[str, AnyDistribution]:
    return {"train.learning_rate": LogUniform(kind="log-uniform", low=SMALLEST_RATE, high=LARGEST_RATE)}


class TuningConfig(Section):
    """The search of `wavecast tune`. The defaults are the protocol of Chung et al. (2014): the best of ten
    learning rates, drawn log-uniformly."""

    section: ClassVar[str] = "tuning"

    trials: Positive = 10
    """Number of trials. A search that is repeated with a larger number goes on with the further ones."""
    space: Annotated[dict[str, Distribution], BeforeValidator(_with_dotted_keys)] = Field(
        default_factory=_paper
    )
    """Settings that are searched, as dotted keys, each with its distribution: `{kind: log-uniform, low: 1e-4,
    high: 1e-2}`, `{kind: uniform, low: 0.0, high: 0.5}`, `{kind: integer, low: 32, high: 512, log: true}` or
    `{kind: choices, values: [gru, lstm]}`. A space in a file replaces the one that it extends."""
    sampler: Literal["random", "tpe"] = "random"
    """`random`: each trial is drawn independently of the others. `tpe`: the tree-structured Parzen estimator
    draws trials where earlier ones were good; it needs more than about 20 trials to gain."""
    pruner: Literal["none", "median"] = "median"
    """`median`: end a trial whose best validation loss is above the median of the other trials at the same
    epoch. `none`: train all trials to their end."""
    pruner_trials: Annotated[int, Field(ge=1)] = 4
    """Number of finished trials before any is ended early."""
    pruner_epochs: Annotated[int, Field(ge=0)] = 1
    """Number of epochs of each trial in which it is not ended early."""
    seed: Seed = 0
    """Seed of the draws. With `random`, a trial's settings depend on the seed and the trial's number only."""
