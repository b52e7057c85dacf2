"""A mixture of Gaussians over the D outputs of a step, with diagonal covariance, as a distribution object.

Its density is Bishop's mixture density network (1994), which Chung et al. (2014) put on raw audio with 20
components. A density is not a code length: on integer samples `interval_log_prob` gives the exact
probability that the distribution assigns to each sample's quantisation interval, which never exceeds 1.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

COLDEST = 1e-30
"""Logits divided by a smaller temperature would overflow: it counts as 0."""


@dataclass(frozen=True)
class GaussianMixture:
    """Distributions with batch shape (...) over vectors of D values.

    Attributes:
        logits: (..., K), unnormalised log weights of the components.
        mean: (..., K, D).
        scale: (..., K, D), standard deviations.
    """

    logits: Tensor
    mean: Tensor
    scale: Tensor

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Natural log of the density at ``value`` (..., D), as (...).

        Where ``mask`` (..., D) is false, that output is left out: the density is then the exact marginal
        of the others.
        """
        arguments = (self.logits, self.mean, self.scale, value, mask)
        if torch.is_grad_enabled() and any(part.requires_grad for part in arguments[:4]):
            log_prob: Tensor = _DifferentiableLogProb.apply(*arguments)  # type: ignore[no-untyped-call]
            return log_prob
        return _mixture_log_prob(*arguments)[0]

    def interval_log_prob(self, lower: Tensor, upper: Tensor, mask: Tensor | None = None) -> Tensor:
        """Natural log of the probability that each output lies between its bounds (..., D), as (...).

        Computed in float64, since the two cumulative probabilities nearly cancel when an interval is
        narrow beside the scale. Bounds may be infinite.
        """
        mean, scale = self.mean.double(), self.scale.double()
        below = (lower.double().unsqueeze(-2) - mean) / scale
        above = (upper.double().unsqueeze(-2) - mean) / scale
        # Rounding may lift a certain outcome past 1 by the last digit.
        return _mix(self.logits, log_normal_interval(below, above), mask)[0].clamp(max=0)

    def sample(self, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """Draw one value per distribution, (..., D).

        ``temperature`` divides the logits and multiplies the scales; at 0 the mean of the most likely
        component comes out.
        """
        cold = temperature < COLDEST
        if cold:
            component = self.logits.argmax(-1)
        else:
            weights = torch.softmax(self.logits / temperature, -1)
            flat = torch.multinomial(weights.reshape(-1, weights.shape[-1]), 1, generator=generator)
            component = flat.reshape(weights.shape[:-1])
        index = component[..., None, None].expand(*component.shape, 1, self.mean.shape[-1])
        mean = self.mean.gather(-2, index).squeeze(-2)
        if cold:
            return mean
        scale = self.scale.gather(-2, index).squeeze(-2)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        return mean + temperature * scale * noise

    def expected(self) -> Tensor:
        """The mean of the whole mixture, (..., D)."""
        return (torch.softmax(self.logits, -1).unsqueeze(-1) * self.mean).sum(-2)


def _mix(logits: Tensor, log_prob_of_outputs: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """From (..., K, D) log-probabilities of single outputs to (...) of the vectors, and (..., K) jointly."""
    if mask is not None:
        log_prob_of_outputs = log_prob_of_outputs.masked_fill(~mask.unsqueeze(-2), 0.0)
    log_weights = torch.log_softmax(logits.to(log_prob_of_outputs.dtype), -1)
    joint = log_weights + log_prob_of_outputs.sum(-1)
    return torch.logsumexp(joint, -1), joint


def _mixture_log_prob(
    logits: Tensor, mean: Tensor, scale: Tensor, value: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The log-density (...); and for its gradient the joint (..., K), z and 1 / scale (..., K, D)."""
    inverse = scale.reciprocal()
    z = (value.unsqueeze(-2) - mean) * inverse
    log_density = torch.addcmul(torch.log(inverse), z, z, value=-0.5).sub_(HALF_LOG_2PI)
    total, joint = _mix(logits, log_density, mask)
    return total, joint, z, inverse


class _DifferentiableLogProb(torch.autograd.Function):
    """The log-density with its gradient written out, in half the passes over (..., K, D) of autograd's.

    With r the posterior weight of each component: d/dmean = r z / scale, d/dscale = r (z^2 - 1) / scale,
    d/dlogits = r - softmax(logits).
    """

    @staticmethod
    def forward(
        context: Any, logits: Tensor, mean: Tensor, scale: Tensor, value: Tensor, mask: Tensor | None
    ) -> Tensor:
        total, joint, z, inverse = _mixture_log_prob(logits, mean, scale, value, mask)
        posterior = torch.exp(joint - total.unsqueeze(-1))
        context.save_for_backward(logits, posterior, z, inverse, mask)
        return total

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        logits, posterior, z, inverse, mask = context.saved_tensors
        weighted = gradient.unsqueeze(-1) * posterior
        along = weighted.unsqueeze(-1) * inverse
        if mask is not None:
            along.masked_fill_(~mask.unsqueeze(-2), 0.0)
        of_logits = weighted - gradient.unsqueeze(-1) * torch.softmax(logits, -1)
        of_mean = along * z
        of_scale = torch.addcmul(-along, of_mean, z)
        of_value = -of_mean.sum(-2) if context.needs_input_grad[3] else None
        return of_logits, of_mean, of_scale, of_value, None


def log_normal_interval(below: Tensor, above: Tensor) -> Tensor:
    """log(Phi(above) - Phi(below)) of the standard normal distribution, for below < above.

    An interval right of the mean is mirrored to its left, where the logarithms keep their digits:
    log(Phi(b) - Phi(a)) = log Phi(b) + log(1 - exp(log Phi(a) - log Phi(b))).
    """
    mirror = below > 0
    low = torch.where(mirror, -above, below)
    high = torch.where(mirror, -below, above)
    log_low: Tensor = torch.special.log_ndtr(low)
    log_high: Tensor = torch.special.log_ndtr(high)
    return log_high + torch.log(-torch.expm1(log_low - log_high))
