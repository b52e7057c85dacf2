"""The files of an evaluation among a run's artifacts. They are read here alone, without torch."""

from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from pipeline.common.files import read_json

EVALUATION, TEMPORAL_SENSITIVITY = "evaluation.json", "temporal_sensitivity.json"
AGAIN = "delete it, and `wavecast run` makes it again"


class Figures(TypedDict):
    """The figures of a model or baseline; None where it has none of the kind."""

    nats_per_step: float | None
    bits_per_sample: float | None


class HorizonFigures(TypedDict):
    """The figures of a model at one number of steps ahead."""

    nats_per_step: float
    of_targets: NotRequired[list[float]]


class Evaluation(TypedDict):
    """The content of `evaluation.json`; see `pipeline.evaluation.evaluate.evaluate`."""

    split: str
    recordings: int
    groups: int
    seconds: float
    steps: int
    of_notes: NotRequired[bool]
    model: Figures
    horizons: dict[str, HorizonFigures]
    baselines: dict[str, Figures]
    of_recordings: NotRequired[list[dict[str, Any]]]


class TemporalSensitivity(TypedDict):
    """The content of `temporal_sensitivity.json`."""

    gradient_norm: list[float]
    step_seconds: float


def read_evaluation(artifacts: Path) -> dict[str, Any]:
    """Return the evaluation among a run's artifacts.

    Raises:
        UserError: it is missing or damaged.
    """
    found: dict[str, Any] = read_json(artifacts / EVALUATION, "evaluation", Evaluation, AGAIN)
    return found


def read_temporal_sensitivity(artifacts: Path) -> dict[str, Any]:
    """Return the temporal sensitivity among a run's artifacts.

    Raises:
        UserError: it is missing or damaged.
    """
    path = artifacts / TEMPORAL_SENSITIVITY
    found: dict[str, Any] = read_json(path, "temporal sensitivity of a model", TemporalSensitivity, AGAIN)
    return found
