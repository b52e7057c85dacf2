"""The interface of a distribution that training, evaluation and generation use, whatever its head."""

import math
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor


class Steps(NamedTuple):
    """What a head's outputs are compared with.

    Attributes:
        targets: (B, T, D).
        mask: (B, T, D), false where an output is left out. None includes all.
        history: values before each step, (B, T, W).
        bounds: of the intervals whose probability counts, (B, T, D) each in double precision; None for the
            density.
    """

    targets: Tensor
    mask: Tensor | None
    history: Tensor
    bounds: tuple[Tensor, Tensor] | None


class Distribution(Protocol):
    """Distributions of batch shape (...) over vectors of D values."""

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the natural logarithm, (...), of the density, or of the probability of notes.

        Args:
            value: (..., D).
            mask: (..., D); values where it is false are left out. None includes all.
        """
        ...

    def sample(self, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """Return one random value per distribution, (..., D).

        Args:
            temperature: width of the draw; 0 selects the most likely value, of the most likely component.
            generator: source of random numbers; None is torch's global one.
        """
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
        """Return the values (..., D) that given random numbers select.

        Args:
            uniform: (...) in [0, 1).
            noise: (..., D), standard normal.
            temperature: as in `sample`.
            noise_scale: multiplies the scales; None is the temperature.
            max_scale: larger scales are replaced by it.
        """
        ...

    def expectation(self) -> Tensor:
        """Return the mean, (..., D)."""
        ...


@runtime_checkable
class IntegerDistribution(Protocol):
    """Distributions over vectors of D values that also give the exact probability of integers."""

    def discrete_log_prob(
        self, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Return `interval_log_prob` with a gradient, for training."""
        ...

    def interval_log_prob(
        self, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Return the log-probability (...), in nats, that each output lies between its bounds, in float64.

        Args:
            value: the actual outputs, (..., D).
            lower, upper: bounds (..., D), which may be infinite.
            mask: (..., D); outputs where it is false are left out.
        """
        ...

    def conditional_interval_log_prob(
        self, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Return `interval_log_prob` of each output given those before it, (..., D)."""
        ...
