"""Mixtures of logistic experts, one mixture for each output of a step, as a distribution object.

A small share of a uniform distribution over all integers bounds what a surprise costs.

The means and the weights of an output's experts are computed from the actual outputs before it, also from
those of the same step. The joint likelihood of a step is therefore the product of those of its outputs.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

INTEGERS = 2**16
UNIFORM_SHARE = 2.0**-16
"""As in `models.adaptive.experts`."""
BEYOND = 1e6
"""Bounds further away, also infinite ones, count as this, so that their gradient is 0 and not undefined."""


@dataclass(frozen=True)
class ExpertMixture:
    """Distributions with batch shape (...) over D values, each given the actual ones before it.

    Attributes:
        logits: (..., D, K), unnormalised log weights of the experts.
        mean: (..., D, K).
        scale: (..., D, K) of the logistic distributions.
        quantisation_step: distance of two integers, of which there are 2^16.
    """

    logits: Tensor
    mean: Tensor
    scale: Tensor
    quantisation_step: float

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the natural logarithm, (...), of the density.

        Args:
            value: (..., D).
            mask: (..., D); outputs where it is false are left out.

        Example:
            A logistic distribution of scale 1 has the density 1/4 at its mean.

            >>> import torch
            >>> one = ExpertMixture(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1), 1e-3)
            >>> round(one.log_prob(torch.zeros(1)).exp().item(), 3)
            0.25
        """
        distance = ((value.unsqueeze(-1) - self.mean) / self.scale).abs()
        of_experts = -distance - 2 * softplus(-distance) - self.scale.log()
        return self._mixed(of_experts, torch.ones_like(value), mask).sum(-1)

    def discrete_log_prob(
        self, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Return the log-probability (...) that each output lies between its bounds, for training.

        Args:
            value: (..., D), not used: the bounds contain it.
            lower, upper: bounds (..., D), which may be infinite.
            mask: (..., D); outputs where it is false are left out.
        """
        return self._intervals(lower, upper, mask).sum(-1)

    def interval_log_prob(
        self, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Return `discrete_log_prob` in float64."""
        return self.conditional_interval_log_prob(value, lower, upper, mask).sum(-1)

    def conditional_interval_log_prob(
        self, value: Tensor, lower: Tensor, upper: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Return `interval_log_prob` of each output given those before it, (..., D)."""
        logits, mean, scale = self.logits.double(), self.mean.double(), self.scale.double()
        exact = ExpertMixture(logits, mean, scale, self.quantisation_step)
        return exact._intervals(lower, upper, mask)

    def _intervals(self, lower: Tensor, upper: Tensor, mask: Tensor | None) -> Tensor:
        kind = self.mean.dtype
        inner = torch.where((upper - lower).isfinite(), upper - lower, self.quantisation_step).to(kind)
        lower, upper = lower.clamp(min=-BEYOND), upper.clamp(max=BEYOND)
        width = (upper - lower).to(kind).unsqueeze(-1)
        below = (lower.to(kind).unsqueeze(-1) - self.mean) / self.scale
        above = (upper.to(kind).unsqueeze(-1) - self.mean) / self.scale
        return self._mixed(logistic_interval(below, above, width / self.scale), inner, mask)

    def _mixed(self, of_experts: Tensor, width: Tensor, mask: Tensor | None) -> Tensor:
        """Return log-likelihoods (..., D) from those of experts (..., D, K) and the intervals' widths."""
        mixed = torch.logsumexp(torch.log_softmax(self.logits, -1) + of_experts, -1)
        uniform = (UNIFORM_SHARE / INTEGERS / self.quantisation_step * width).log()
        mixed = torch.logaddexp(mixed + math.log1p(-UNIFORM_SHARE), uniform)
        return mixed if mask is None else mixed.masked_fill(~mask, 0.0)


def logistic_interval(below: Tensor, above: Tensor, width: Tensor) -> Tensor:
    """Return the log-probability that a standard logistic variable lies between two bounds.

    With s the logistic function, s(b) - s(a) = (1 - exp(a - b)) s(b) s(-a), which has no difference of nearly
    equal numbers.

    Args:
        below, above: the bounds.
        width: their difference, which is more exact where it is computed before.
    """
    return torch.log(-torch.expm1(-width)) + logsigmoid(above) + logsigmoid(-below)
