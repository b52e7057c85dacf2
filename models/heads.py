"""Output heads: from the hidden vector of a step, and what came before, to the distribution of its outputs.

All project to the parameters of a mixture of K Gaussians, in float32 even under reduced precision (eight bits
of a mean are too few for samples), and each scale is ``scale_floor + exp(raw)``, so that no likelihood grows
without bound on constant sound.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from models.distributions.constants import MAX_RAW_SCALE
from models.distributions.correlated_mixtures import AutoregressiveMixture, FullCovarianceMixture
from models.distributions.mixture import DiagonalMixture, Mixture
from models.distributions.stability import stabilise


class MixtureHead(nn.Module, ABC):
    """Projects H hidden values to a mixture of K Gaussians over D outputs.

    Args:
        hidden_size: H.
        target_size: D.
        components: K.
        scale_floor: smallest standard deviation, in the units of the outputs.
    """

    def __init__(self, hidden_size: int, target_size: int, components: int, scale_floor: float) -> None:
        super().__init__()
        self.components = components
        self.target_size = target_size
        self.scale_floor = scale_floor
        self.sizes = [components * count for count in self.parameter_counts()]
        self.projection = nn.Linear(hidden_size, sum(self.sizes))
        self.initialise_scales(0.03, 1.0)

    @abstractmethod
    def parameter_counts(self) -> list[int]:
        """Return the parameters of a component: of its weight, its means, its log scales, and others."""

    @abstractmethod
    def distribution(self, parts: list[Tensor], scale: Tensor, inputs: Tensor) -> Mixture:
        """Return the mixture of projected parameters.

        Args:
            parts: the parts of the projection without the scales, (..., K, count) each.
            scale: scales above the floor, (..., K, D).
            inputs: the values before the step, (..., D_in).
        """

    def forward(self, hidden: Tensor, inputs: Tensor) -> Mixture:
        """Return mixtures of batch shape (...).

        Args:
            hidden: hidden vectors (..., H).
            inputs: the values before each step, (..., D_in).
        """
        with torch.autocast(hidden.device.type, enabled=False):
            projected = self.projection(hidden.to(self.projection.weight.dtype))
            parts = [part.unflatten(-1, (self.components, -1)) for part in projected.split(self.sizes, -1)]
            scale = parts.pop(2).clamp(max=MAX_RAW_SCALE).exp() + self.scale_floor
            return self.distribution(parts, scale, inputs)

    def initialise_scales(self, narrowest: float, max_scale: float) -> None:
        """Start the components at different widths, so that they specialise instead of moving as one."""
        k, d = self.components, self.target_size
        ends = (math.log(narrowest), math.log(max_scale))
        widths = torch.linspace(*ends, k) if k > 1 else torch.tensor(ends[1:])
        with torch.no_grad():
            logits, _, raw, *_ = self.projection.bias.split(self.sizes)
            logits.zero_()
            raw.copy_(widths[:, None].expand(k, d).reshape(-1))

    def start_without(self, *kinds: int) -> None:
        """Let the parameters of these kinds, numbered as in `parameter_counts`, start at zero."""
        with torch.no_grad():
            for kind in kinds:
                self.projection.weight.split(self.sizes)[kind].zero_()
                self.projection.bias.split(self.sizes)[kind].zero_()


class GaussianMixtureHead(MixtureHead):
    """Diagonal covariance: a `DiagonalMixture`."""

    def parameter_counts(self) -> list[int]:
        return [1, self.target_size, self.target_size]

    def distribution(self, parts: list[Tensor], scale: Tensor, inputs: Tensor) -> DiagonalMixture:
        logits, mean = parts
        return DiagonalMixture(logits.squeeze(-1), mean, scale)


class FullMixtureHead(MixtureHead):
    """Full covariance: a `FullCovarianceMixture`, which starts as a diagonal one."""

    def __init__(self, hidden_size: int, target_size: int, components: int, scale_floor: float) -> None:
        super().__init__(hidden_size, target_size, components, scale_floor)
        self.start_without(3)

    def parameter_counts(self) -> list[int]:
        return [1, self.target_size, self.target_size, self.target_size * (self.target_size - 1) // 2]

    def distribution(self, parts: list[Tensor], scale: Tensor, inputs: Tensor) -> FullCovarianceMixture:
        logits, mean, lower = parts
        return FullCovarianceMixture(logits.squeeze(-1), mean, scale, lower)


class AutoregressiveMixtureHead(MixtureHead):
    """Autoregressive covariance: an `AutoregressiveMixture` that starts at one linear predictor.

    What is projected are not the coefficients but what the past means to the predictor that it starts at:
    weights of that predictor's uncorrelated errors (see `backward_errors`). Neighbouring samples are nearly
    equal, so that single coefficients have to move together and by little; gradient steps on them spike.

    Args:
        hidden_size, target_size, components, scale_floor: see `MixtureHead`.
        order: P, the preceding values that a component's linear predictor reads.
    """

    start: Tensor
    basis: Tensor

    def __init__(
        self, hidden_size: int, target_size: int, components: int, scale_floor: float, order: int
    ) -> None:
        self.order = order
        super().__init__(hidden_size, target_size, components, scale_floor)
        self.register_buffer("start", torch.zeros(order))
        self.register_buffer("basis", torch.eye(order))
        self.start_without(1, 3)

    def parameter_counts(self) -> list[int]:
        return [1, 1, self.target_size, self.order]

    def start_at(self, coefficients: Tensor, residual_std: float, offset: float = 0.0) -> None:
        """Let every component start at one linear predictor, with widths spread around its error's.

        Args:
            coefficients: (P,), that of the latest value first.
            residual_std: standard deviation of its error, in the units of the outputs.
            offset: what it adds, in the units of the outputs.
        """
        one = self.components == 1
        self.initialise_scales(residual_std * (1 if one else 0.1), residual_std * (1 if one else 4))
        self.start_without(1, 3)
        self.start.copy_(coefficients)
        self.basis.copy_(backward_errors(coefficients))
        with torch.no_grad():
            self.projection.bias.split(self.sizes)[1].fill_(offset)

    def distribution(self, parts: list[Tensor], scale: Tensor, inputs: Tensor) -> AutoregressiveMixture:
        logits, offset, change = parts
        coefficients = self.start + change @ self.basis
        history = inputs[..., -self.order :].to(scale.dtype)
        return AutoregressiveMixture(logits.squeeze(-1), offset.squeeze(-1), coefficients, scale, history)


def backward_errors(coefficients: Tensor) -> Tensor:
    """Return uncorrelated combinations of the P values before a sample, (P, P), for a linear predictor (P,).

    Row j is the value j + 1 steps before, minus its prediction from the j values after it: the lattice form
    of linear prediction. Its standard deviation is that of the predictor's own error, so that a weight of 1
    moves a prediction by the error's usual size.
    """
    predictor = stabilise(coefficients.double().cpu())
    rows, variance = torch.zeros(len(predictor), len(predictor), dtype=torch.float64), 1.0
    for lag in range(len(predictor) - 1, -1, -1):
        # From order lag + 1 to order lag, as in `is_stable`.
        reflection = predictor[-1]
        predictor = (predictor[:-1] + reflection * predictor[:-1].flip(0)) / (1 - reflection**2)
        variance /= 1 - float(reflection) ** 2
        rows[lag, lag] = 1.0
        rows[lag, :lag] = -predictor.flip(0)
        rows[lag] /= math.sqrt(variance)
    return rows
