"""A mixture of Gaussians over the D outputs of a step, with diagonal covariance, as a distribution object.

Its density is Bishop's mixture density network (1994), which Chung et al. (2014) put on raw audio with 20
components. A density is not a code length: on integer samples `interval_log_prob` gives the exact
probability that the distribution assigns to each sample's quantisation interval, which never exceeds 1.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class GaussianMixture:
    """Distributions with batch shape (...) over vectors of D values.

    Attributes:
        logits: (..., K), unnormalised log weights of the components.
        mean: (..., K, D).
        log_scale: (..., K, D), natural logarithm of the standard deviations.
    """

    logits: Tensor
    mean: Tensor
    log_scale: Tensor

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Natural log of the density at ``value`` (..., D), as (...).

        Where ``mask`` (..., D) is false, that output is left out: the density is then the exact marginal
        of the others.
        """
        z = (value.unsqueeze(-2) - self.mean) * torch.exp(-self.log_scale)
        return self._mix(-0.5 * z.square() - self.log_scale - HALF_LOG_2PI, mask)

    def interval_log_prob(self, lower: Tensor, upper: Tensor, mask: Tensor | None = None) -> Tensor:
        """Natural log of the probability that each output lies between its bounds (..., D), as (...).

        Computed in float64, since the two cumulative probabilities nearly cancel when an interval is
        narrow beside the scale. Bounds may be infinite.
        """
        mean, inverse_scale = self.mean.double(), torch.exp(-self.log_scale.double())
        below = (lower.double().unsqueeze(-2) - mean) * inverse_scale
        above = (upper.double().unsqueeze(-2) - mean) * inverse_scale
        return self._mix(log_normal_interval(below, above), mask)

    def sample(self, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """Draw one value per distribution, (..., D).

        ``temperature`` divides the logits and multiplies the scales; at 0 the mean of the most likely
        component comes out.
        """
        if temperature == 0:
            component = self.logits.argmax(-1)
        else:
            weights = torch.softmax(self.logits / temperature, -1)
            flat = torch.multinomial(weights.reshape(-1, weights.shape[-1]), 1, generator=generator)
            component = flat.reshape(weights.shape[:-1])
        index = component[..., None, None].expand(*component.shape, 1, self.mean.shape[-1])
        mean = self.mean.gather(-2, index).squeeze(-2)
        if temperature == 0:
            return mean
        scale = self.log_scale.gather(-2, index).squeeze(-2).exp()
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        return mean + temperature * scale * noise

    def expected(self) -> Tensor:
        """The mean of the whole mixture, (..., D)."""
        return (torch.softmax(self.logits, -1).unsqueeze(-1) * self.mean).sum(-2)

    def _mix(self, log_prob_of_outputs: Tensor, mask: Tensor | None) -> Tensor:
        """From (..., K, D) log-probabilities of single outputs to (...) of the vectors."""
        if mask is not None:
            log_prob_of_outputs = torch.where(mask.unsqueeze(-2), log_prob_of_outputs, 0.0)
        log_weights = torch.log_softmax(self.logits.to(log_prob_of_outputs.dtype), -1)
        return torch.logsumexp(log_weights + log_prob_of_outputs.sum(-1), -1)


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
