"""The interface of a baseline: a simple model, fitted on the training split, to compare trained ones with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.config.types import Split
from pipeline.data.dataset import Dataset
from pipeline.features.normaliser import Normaliser
from pipeline.features.representation import Representation


@dataclass(frozen=True)
class Figures:
    """Averages per predicted value: nats of the normalised density, and bits of exact code length."""

    nats: float | None
    bits: float | None


@dataclass(frozen=True)
class Comparison:
    """The data that a baseline is fitted on and scored on.

    Attributes:
        dataset: a prepared data set whose training split is not empty.
        split: the split to score, which is not empty.
        linear_order: preceding samples that a linear predictor uses.
    """

    dataset: Dataset
    split: Split
    linear_order: int

    def train(self) -> Iterator[Tensor]:
        """Return the rows (N, width) of each recording of the training split, as stored."""
        return map(self.dataset.recording_rows, self.dataset.require("train").tolist())

    def scored(self) -> Iterator[Tensor]:
        """Return the rows (N, width) of each recording to score, as stored."""
        return map(self.dataset.recording_rows, self.dataset.require(self.split).tolist())

    def normaliser(self) -> Normaliser:
        """Return the normalisation of the training split, on the CPU."""
        return Normaliser(self.dataset.representation, self.dataset.normalisation, torch.device("cpu"))


@dataclass(frozen=True)
class Baseline:
    """A baseline of some kinds of input.

    Attributes:
        name: in tables and plots; ``{order}`` stands for the order of linear prediction.
        applies: whether there is such a baseline for a kind of input.
        score: fits it on the training split, and returns its figures on the split to score.
        version: raise it when the figures change, so that kept ones are computed again.
    """

    name: str
    applies: Callable[[Representation], bool]
    score: Callable[[Comparison], Figures]
    version: int = 1
