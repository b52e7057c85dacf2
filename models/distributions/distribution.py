"""The interface of a distribution that training, evaluation and generation use, whatever its head."""

import math
from typing import Protocol

import torch
from torch import Tensor


class Distribution(Protocol):
    """Distributions of batch shape (...) over vectors of D values."""

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the natural log of the density, or of the probability of notes, at ``value`` (..., D).

        The shape is (...). Values where ``mask`` (..., D) is false are left out.
        """
        ...

    def sample(self, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """Draw one value per distribution, (..., D); at temperature 0 the most likely kind of it."""
        ...

    def draw(
        self,
        uniform: Tensor,
        noise: Tensor,
        temperature: float = 1.0,
        *,
        noise_scale: float | None = None,
        max_scale: float = math.inf,
    ) -> Tensor:
        """Return values (..., D) for numbers in [0, 1) (...) and standard normal ones (..., D)."""
        ...

    def expectation(self) -> Tensor:
        """Return the mean, (..., D)."""
        ...
