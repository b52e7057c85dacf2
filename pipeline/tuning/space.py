"""The space of a search: a value for each searched setting, drawn by Optuna."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.config.tuning import AnyDistribution, Choices, Integers, LogUniform
from pipeline.config.types import Scalar

if TYPE_CHECKING:
    import optuna


def draw(trial: "optuna.Trial", space: Mapping[str, AnyDistribution]) -> dict[str, Scalar]:
    """Return the settings of a trial; those that it has already are not drawn again.

    Args:
        trial: of the study.
        space: a distribution for each setting.
    """
    return {key: _draw_one(trial, key, distribution) for key, distribution in space.items()}


def _draw_one(trial: "optuna.Trial", key: str, distribution: AnyDistribution) -> Scalar:
    if isinstance(distribution, Choices):
        return trial.suggest_categorical(key, distribution.values)
    if isinstance(distribution, Integers):
        return trial.suggest_int(key, distribution.low, distribution.high, log=distribution.log)
    low, high = distribution.low, distribution.high
    return trial.suggest_float(key, low, high, log=isinstance(distribution, LogUniform))


def size_of(space: Mapping[str, AnyDistribution]) -> float:
    """Return the number of different settings in a space; infinity where one of them is a real number."""
    counts = [
        len(found.values)
        if isinstance(found, Choices)
        else found.high - found.low + 1
        if isinstance(found, Integers)
        else math.inf
        for found in space.values()
    ]
    return math.prod(counts)


def scale_of(distribution: AnyDistribution) -> str:
    """Return how a setting is drawn on an axis: `linear`, `log` or `choices`."""
    if isinstance(distribution, Choices):
        return "choices"
    logarithmic = isinstance(distribution, LogUniform) or (
        isinstance(distribution, Integers) and distribution.log
    )
    return "log" if logarithmic else "linear"
