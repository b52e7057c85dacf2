"""Mixtures of Gaussians over the D outputs of a step, as distribution objects; here with diagonal covariance.

The density is Bishop's mixture density network (1994), which Chung et al. (2014) put on raw audio with 20
components. A density is not a code length: on integer samples `interval_log_prob` gives the exact
probability that the distribution assigns to each sample's quantisation interval, which never exceeds 1.

Every Gaussian over a vector is a product of one-dimensional ones, each output given those before it. So one
likelihood serves all covariances: they differ in the mean of an output given the actual ones before it,
`Mixture.conditional_mean`; the scale of an output given those before it is a parameter of the mixture.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.distributions.normal import density, interval, log_density
from models.distributions.pruned import conditional_log_prob, mixed_interval_log_prob

COLDEST = 1e-30
"""Logits divided by a smaller temperature would overflow: it counts as 0."""

NEGLIGIBLE = 1e-20
"""A component with a smaller posterior weight gets no gradient."""


class Mixture(ABC):
    """Distributions with batch shape (...) over vectors of D values: K Gaussians, one of which is chosen.

    Attributes:
        logits: (..., K), unnormalised log weights of the components.
        scale: (..., K, D), standard deviation of each output given those before it.
    """

    logits: Tensor
    scale: Tensor

    @abstractmethod
    def conditional_mean(self, value: Tensor) -> Tensor:
        """Return the mean (..., K, D) of each output, given those before it in ``value`` (..., D)."""

    @abstractmethod
    def transform_noise(self, component: Tensor, deviation: Tensor) -> Tensor:
        """Return values (..., D) from deviations in one component.

        Args:
            component: index of the component, (...).
            deviation: deviation of each output from its conditional mean, (..., D).
        """

    @abstractmethod
    def component_mean(self) -> Tensor:
        """Return the mean of each component, (..., K, D)."""

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the natural logarithm, (...), of the density.

        Args:
            value: (..., D).
            mask: (..., D). Where it is false, that output is left out: the density is then the exact
                marginal of the others. Unless the covariance is diagonal, only the last ones can be left
                out, or all.

        Example:
            A standard normal has the density 1 / sqrt(2 pi) at its mean, and -0.919 is its logarithm.

            >>> import torch
            >>> normal = DiagonalMixture(torch.zeros(1), mean=torch.zeros(1, 1), scale=torch.ones(1, 1))
            >>> round(normal.log_prob(torch.zeros(1)).item(), 3)
            -0.919
        """
        return self._log_prob(value, value, None, mask)

    def discrete_log_prob(
        self, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Return `interval_log_prob` in the precision of the parameters, with their gradient, for training.

        In float32 it is right to four digits at any distance. The bounds have no gradient. Its
        arguments are those of `interval_log_prob`.
        """
        return self._log_prob(value, lower, upper, mask)

    def _log_prob(self, value: Tensor, lower: Tensor, upper: Tensor | None, mask: Tensor | None) -> Tensor:
        with torch.autocast(value.device.type, enabled=False):
            mean = self.conditional_mean(value)
        arguments = (self.logits, mean, self.scale, lower, upper, mask)
        log_prob: Tensor = _MixtureLogProb.apply(*arguments)  # type: ignore[no-untyped-call]
        return log_prob

    def interval_log_prob(
        self, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Return the log-probability (...), in nats, that each output lies between its bounds.

        Each output's probability is conditional on the actual values of those before it, which a decoder has
        decoded already. It is computed in float64, since the two cumulative probabilities nearly cancel when
        an interval is narrow beside the scale. Components that do not matter are left out (see
        `models.distributions.pruned`): the result is low by 1e-10 nats at most.

        Args:
            value: the actual outputs, (..., D).
            lower, upper: bounds (..., D), which may be infinite.
            mask: (..., D); outputs where it is false are left out.

        Example:
            >>> import torch
            >>> normal = DiagonalMixture(torch.zeros(1), mean=torch.zeros(1, 1), scale=torch.ones(1, 1))
            >>> one = torch.ones(1)
            >>> round(normal.interval_log_prob(0 * one, -one, one).exp().item(), 4)
            0.6827
        """
        arguments = self._standardised(value, lower, upper)
        # Rounding may lift a certain outcome past 1 by the last digit.
        return mixed_interval_log_prob(*arguments, mask).clamp(max=0)

    def conditional_interval_log_prob(
        self, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Return `interval_log_prob` of each output given those before it, (..., D).

        Their sum is the joint one. The arguments are the same; outputs that are left out have 0.
        """
        return conditional_log_prob(*self._standardised(value, lower, upper), mask)

    def _standardised(self, value: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log weights (..., K) and bounds (..., K, D) in scales from the mean, float64."""
        exact = self.double()
        mean, inverse = exact.conditional_mean(value.double()), exact.scale.reciprocal()
        below = (lower.double().unsqueeze(-2) - mean) * inverse
        above = (upper.double().unsqueeze(-2) - mean) * inverse
        return torch.log_softmax(exact.logits, -1), below, above

    def double(self) -> "Mixture":
        """Return the same mixture in float64."""
        return type(self)(**{name: part.double() for name, part in vars(self).items()})

    def sample(
        self,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        noise_scale: float | None = None,
    ) -> Tensor:
        """Return one random value per distribution, (..., D); the arguments are those of `draw`."""
        scale = self.scale[..., 0, :]
        how: dict[str, Any] = {"generator": generator, "device": scale.device, "dtype": scale.dtype}
        uniform, noise = torch.rand(scale.shape[:-1], **how), torch.randn(scale.shape, **how)
        return self.draw(uniform, noise, temperature, noise_scale=noise_scale)

    def draw(
        self,
        uniform: Tensor,
        noise: Tensor,
        temperature: float = 1.0,
        *,
        noise_scale: float | None = None,
        max_scale: float = math.inf,
    ) -> Tensor:
        """Return the values (..., D) that random numbers select from these distributions.

        Args:
            uniform: (...), in [0, 1), choose the components.
            noise: (..., D), standard normal.
            temperature: divides the logits; at 0 the most likely component is taken.
            noise_scale: multiplies the scales, and is the temperature unless given; at 0 the component's mean
                comes out.
            max_scale: larger scales are replaced by it.
        """
        component = self.choose(uniform, temperature)
        scale = select_component(self.scale, component).clamp(max=max_scale)
        return self.transform_noise(
            component, (temperature if noise_scale is None else noise_scale) * scale * noise
        )

    def choose(self, uniform: Tensor, temperature: float = 1.0) -> Tensor:
        """Return the index of the component, (...), that random numbers select.

        Args:
            uniform: (...) in [0, 1), compared with the cumulative weights.
            temperature: divides the logits; at 0 the most likely component is selected.
        """
        if temperature < COLDEST:
            return self.logits.argmax(-1)
        ends = torch.softmax(self.logits / temperature, -1).cumsum(-1)
        passed = ends <= uniform.unsqueeze(-1) * ends[..., -1:]
        return passed.sum(-1).clamp(max=ends.shape[-1] - 1)

    def expectation(self) -> Tensor:
        """Return the mean of the whole mixture, (..., D)."""
        return (torch.softmax(self.logits, -1).unsqueeze(-1) * self.component_mean()).sum(-2)


@dataclass(frozen=True)
class DiagonalMixture(Mixture):
    """Diagonal covariance: outputs are independent once the component is chosen.

    Attributes:
        logits: (..., K), unnormalised log weights of the components.
        mean: (..., K, D).
        scale: (..., K, D), standard deviations.
    """

    logits: Tensor
    mean: Tensor
    scale: Tensor

    def conditional_mean(self, value: Tensor) -> Tensor:
        """Return the mean (..., K, D), which does not depend on ``value``."""
        return self.mean

    def transform_noise(self, component: Tensor, deviation: Tensor) -> Tensor:
        """Return the component's mean plus ``deviation`` (..., D)."""
        return select_component(self.mean, component) + deviation

    def component_mean(self) -> Tensor:
        """Return the mean of each component, (..., K, D)."""
        return self.mean


def select_component(parameters: Tensor, component: Tensor) -> Tensor:
    """Return the parameters (..., D) of one component.

    Args:
        parameters: (..., K, D).
        component: index of the component, (...).
    """
    index = component[..., None, None].expand(*component.shape, 1, parameters.shape[-1])
    return parameters.gather(-2, index).squeeze(-2)


def _mix(logits: Tensor, log_prob_of_outputs: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of vectors (...) and joint ones (..., K), from outputs' (..., K, D)."""
    if mask is not None:
        log_prob_of_outputs = log_prob_of_outputs.masked_fill(~mask.unsqueeze(-2), 0.0)
    log_weights = torch.log_softmax(logits.to(log_prob_of_outputs.dtype), -1)
    joint = log_weights + log_prob_of_outputs.sum(-1)
    return torch.logsumexp(joint, -1), joint


class _MixtureLogProb(torch.autograd.Function):
    """The log-density at ``lower``, or where ``upper`` is given the log-probability of the interval.

    The gradient is written out, in half the passes over (..., K, D) of autograd's. With r the posterior
    weight of each component, d/dlogits = r - softmax(logits), and the slopes of means and scales are r
    times those of the single outputs.
    """

    @staticmethod
    def forward(
        context: Any,
        logits: Tensor,
        mean: Tensor,
        scale: Tensor,
        lower: Tensor,
        upper: Tensor | None,
        mask: Tensor | None,
    ) -> Tensor:
        if upper is None and not any(context.needs_input_grad):
            return _mix(logits, log_density(mean, scale, lower), mask)[0]
        of_outputs = density(mean, scale, lower) if upper is None else interval(mean, scale, lower, upper)
        total, joint = _mix(logits, of_outputs.value, mask)
        posterior = torch.exp(joint - total.unsqueeze(-1))
        # Numbers too small for the float format slow every product with them, some tenfold.
        posterior = posterior.masked_fill_(posterior < NEGLIGIBLE, 0.0)
        context.save_for_backward(logits, posterior, of_outputs.by_mean, of_outputs.by_scale, mask)
        return total

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        logits, posterior, by_mean, by_scale, mask = context.saved_tensors
        weighted = gradient.unsqueeze(-1) * posterior
        of_logits = weighted - gradient.unsqueeze(-1) * torch.softmax(logits, -1)
        weight = weighted.unsqueeze(-1)
        if mask is not None:
            weight = weight * mask.unsqueeze(-2)
        of_mean, of_scale = weight * by_mean, weight * by_scale
        of_value = -of_mean.sum(-2) if context.needs_input_grad[3] else None
        return of_logits, of_mean, of_scale, of_value, None, None
