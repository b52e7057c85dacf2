"""Conversion between stored rows and the values that a model reads, in torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline.audio.pcm import INT16_SCALE
from pipeline.features.normalisation import Normalisation
from pipeline.features.representation import Representation

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Normaliser:
    """The conversion between stored rows and the values that the model reads, on one device."""

    def __init__(
        self, representation: Representation, normalisation: Normalisation, device: torch.device
    ) -> None:
        import torch

        self.unit, self.quantised = representation.unit, representation.quantised
        self._to_stored = representation.to_stored
        self.mean, self.std = normalisation.tensors(device)
        self.interval_width = self.unit / float(self.std[0])
        self.low = torch.tensor(normalisation.low or [-math.inf], device=device)
        self.high = torch.tensor(normalisation.high or [math.inf], device=device)

    def normalise(self, rows: Tensor) -> Tensor:
        """Return stored rows (..., width) in float32, with mean 0 and variance 1 over the training split."""
        return (rows.float() * self.unit - self.mean) / self.std

    def restore(self, values: Tensor) -> Tensor:
        """Return the nearest rows that can be stored, for normalised values (..., width)."""
        return self._to_stored((values * self.std + self.mean) / self.unit, self.low, self.high)

    def interval(self, rows: Tensor, width: Tensor | int = 1) -> tuple[Tensor, Tensor]:
        """Return the bounds of the quantisation interval of integer samples, normalised, in float64.

        The outermost intervals extend to infinity, so that the probabilities of all values sum to 1.

        Args:
            rows: integer samples (...).
            width: distance of two values, 2^n where n low bits are unused: a number, or (...).
        """
        integers = rows.double()
        lower = self.normalised_bounds(integers - 0.5 * width)
        upper = self.normalised_bounds(integers + 0.5 * width)
        lower = lower.masked_fill(integers <= -INT16_SCALE, -math.inf)
        return lower, upper.masked_fill(integers >= INT16_SCALE - width, math.inf)

    def normalised_bounds(self, steps: Tensor) -> Tensor:
        """Return bounds (...) between samples, in quantisation steps, as normalised values in float64."""
        bounds: Tensor = (steps.double() * self.unit - self.mean.double()) / self.std.double()
        return bounds
