"""The protocol of representations, which recordings are converted to before a model reads them.

`pipeline.features.representations` selects the class for a configuration. All other code asks a
representation for its numbers and for what it can do, and never for its kind.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models.head_kinds import head_kind
from pipeline.features.framing import Framing

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.audio.pcm import Samples
    from pipeline.config.inputs import SpectrogramConfig
    from pipeline.config.model import ModelConfig
    from pipeline.features.normalisation import Normalisation
    from pipeline.features.spectrogram import Spectrogram

Rows = NDArray[Any]
"""Rows as they are stored, (N, width)."""


class Representation(ABC):
    """One kind of input: what its rows are, and how they become the values and the steps of a model.

    Attributes:
        quantised: a row is a 16-bit integer, so that a model assigns it an exact probability.
        rows_are_samples: a row is one sample. Sound can then be generated without an end, kept below a level
            and computed in compiled loops.
        unscored: rows at the beginning of a recording that are read but not predicted.
        unit: the value of a stored 1.
        restoring: how a model's value x becomes a row, as an exported model states it.
    """

    quantised: ClassVar[bool] = False
    rows_are_samples: ClassVar[bool] = False
    unscored: ClassVar[int] = 0
    unit: ClassVar[float] = 1.0
    restoring: ClassVar[str]

    @property
    @abstractmethod
    def row_width(self) -> int:
        """Values of one stored row."""

    @property
    @abstractmethod
    def row_dtype(self) -> np.dtype[Any]:
        """How a row is stored."""

    @property
    @abstractmethod
    def row_rate_hz(self) -> float:
        """Rows per second."""

    @abstractmethod
    def to_stored(self, rows: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Return the nearest rows that can be stored.

        Args:
            rows: (..., width), in units of stored rows.
            low, high: smallest and largest values of the training split, (width,).
        """

    @property
    def window(self) -> int:
        """Rows that the network reads at a time."""
        return 1

    @property
    def hop(self) -> int:
        """Rows from one reading to the next."""
        return 1

    @property
    def step(self) -> float:
        """One quantisation step, in the units of a value before its normalisation."""
        return self.unit

    @property
    def sound(self) -> SoundRepresentation | None:
        """This representation where it is made of sound and becomes sound again, else None."""
        return None

    @property
    def notes(self) -> NoteRepresentation | None:
        """This representation where it is made of notes, else None."""
        return None

    @property
    def frames(self) -> FrameRepresentation | None:
        """This representation where its rows are frames of a spectrogram, else None."""
        return None

    def framing(self, model: ModelConfig) -> Framing:
        """Return how rows of this kind become the steps of a model.

        Convolutions with strides read several windows, each a hop after the other, for one prediction, which
        then covers as many hops. An autoregressive head looks further back than the network.
        """
        stride = math.prod(stride for _, _, stride in model.convolutions)
        seen = self.window + (stride - 1) * self.hop
        if model.covariance == "autoregressive":
            seen = max(seen, model.autoregressive_order)
        adaptive = head_kind(model.head, model.covariance).adaptive
        return Framing(seen, stride * self.hop, self.row_width, self.unscored, adaptive)

    def quantisation_step(self, normalisation: Normalisation) -> float:
        """Return one quantisation step in normalised values, those of the widest where a row has several."""
        return self.step / max(normalisation.std)

    def bits_per_sample(self, nats_per_value: float, normalisation: Normalisation) -> float | None:
        """Return bits per sample from the negative log-likelihood of normalised values.

        A log-density gives the code length at which the density is constant within a quantisation step. The
        discrete log-likelihood (`train.loss=discrete`), which is in the same unit, gives the exact one.

        Args:
            nats_per_value: negative log-likelihood of a normalised value, in nats.
            normalisation: moments of the training split.

        Returns:
            The bits; None where rows are not integer samples.
        """
        if not self.quantised:
            return None
        return (nats_per_value - math.log(self.quantisation_step(normalisation))) / math.log(2)

    def stored_bits(self, normalisation: Normalisation) -> float:
        """Return the bits of one stored row without any model, in the unit of a model's code length.

        For real numbers, whose density is coded, these are the bits of an even distribution over the range of
        the training split, of one quantisation step at least. They are infinite where the range is not known.

        Args:
            normalisation: moments of the training split.
        """
        if not normalisation.low:
            return math.inf
        ranges = zip(normalisation.low, normalisation.high, strict=True)
        return sum(math.log2(max(high - low, self.step)) for low, high in ranges)

    def moments(
        self, mean: NDArray[np.float64], std: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean and the standard deviation that rows are normalised with, (width,) each.

        Args:
            mean, std: moments of the training split, (width,).
        """
        return mean, std

    def normalise(self, rows: Rows, normalisation: Normalisation) -> NDArray[np.float32]:
        """Return the normalised values of rows, bit for bit those of `Normaliser` in torch.

        Args:
            rows: (..., width), as stored.
            normalisation: moments of the training split.
        """
        mean, std = (np.array(moment, np.float32) for moment in (normalisation.mean, normalisation.std))
        values: NDArray[np.float32] = (rows.astype(np.float32) * np.float32(self.unit) - mean) / std
        return values


class SoundRepresentation(Representation):
    """A representation that is made of sound and becomes sound again."""

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Rate that every recording is converted to, in Hz."""

    @property
    @abstractmethod
    def samples_per_row(self) -> int:
        """Samples from one row to the next."""

    @abstractmethod
    def rows_of_blocks(self, blocks: Iterable[Samples]) -> Iterator[Rows]:
        """Convert blocks of int16 samples (n,) of one recording to blocks of rows (r, width) as stored."""

    @abstractmethod
    def rows_within(self, samples: int) -> int:
        """Return how many rows of a recording of so many samples depend on nothing beyond its end."""

    @abstractmethod
    def samples_of(self, rows: Rows, seed: int) -> Samples:
        """Return the int16 samples of a recording's rows, up to its last row.

        Args:
            rows: (N, width), as stored.
            seed: of the random phases, where a conversion needs some.
        """

    @property
    def seam_rows(self) -> int:
        """Rows before others on which the samples of those depend, see `samples_after`."""
        return 0

    @abstractmethod
    def samples_after(self, before: Rows, rows: Rows, seed: int) -> Samples:
        """Return int16 samples of rows that follow others, at least N * samples_per_row.

        Args:
            before: the rows before, (M, width), of which the last `seam_rows` count.
            rows: (N, width), as stored.
            seed: of the random phases, where a conversion needs some.
        """

    @property
    def sound(self) -> SoundRepresentation:
        """This representation."""
        return self


class FrameRepresentation(SoundRepresentation):
    """A representation whose rows are frames of a spectrogram."""

    config: SpectrogramConfig

    @property
    @abstractmethod
    def analysis(self) -> Spectrogram:
        """The spectrogram that the configuration describes; `UserError` where its numbers do not fit."""

    @property
    def frames(self) -> FrameRepresentation:
        """This representation."""
        return self


class NoteRepresentation(Representation):
    """A representation that is made of notes and becomes notes again."""

    @property
    @abstractmethod
    def steps_per_quarter(self) -> int:
        """Rows per quarter note."""

    @property
    @abstractmethod
    def quarters_per_minute(self) -> float:
        """Tempo of what is written."""

    @property
    def notes(self) -> NoteRepresentation:
        """This representation."""
        return self
