"""What training, evaluation and generation ask of a distribution, whatever the head that made it."""

import math
from typing import Protocol

import torch
from torch import Tensor


class Distribution(Protocol):
    """Distributions of batch shape (...) over vectors of D values."""

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Natural log of the density, or of the probability of notes, at ``value`` (..., D), as (...).

        Values where ``mask`` (..., D) is false are left out.
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
        """The values (..., D) that numbers in [0, 1) (...) and standard normal ones (..., D) make of it."""
        ...

    def expectation(self) -> Tensor:
        """The mean, (..., D)."""
        ...
