"""The head that stands on adaptive predictions: a network changes the mixture of `models.adaptive.guided`.

It is called with the rows of `models.adaptive.step_features` and the actual outputs. What it projects to is
zero at first, so that training starts at the mixture without a network. The experts and the order of what is
projected are those of `models.adaptive.guided`, which codes with the same mixture.
"""

import math

import torch
from torch import Tensor, nn

from models.adaptive import guided
from models.adaptive.ensemble import PREDICTIONS
from models.adaptive.experts import FORGETTING, LEAST_LIKELIHOOD, WIDTHS
from models.distributions.experts import ExpertMixture, logistic_interval


class AdaptiveHead(nn.Module):
    """Projects H hidden values to changes of a mixture of experts around adaptive predictions.

    Args:
        hidden_size: H.
        target_size: D.
        quantisation_step: distance of two integers, in the units of the outputs.
    """

    widths: Tensor
    fading: Tensor
    counting: Tensor

    def __init__(self, hidden_size: int, target_size: int, quantisation_step: float) -> None:
        super().__init__()
        self.target_size, self.quantisation_step = target_size, quantisation_step
        self.projection = nn.Linear(hidden_size, guided.CHANGES)
        nn.init.zeros_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        self.register_buffer("widths", torch.tensor(WIDTHS, dtype=torch.float32), persistent=False)
        lag = torch.arange(target_size)[:, None] - torch.arange(target_size) - 1
        # Weights of the log-likelihoods of the step (m) before each sample (n), then of those before it.
        counting = torch.where(lag >= 0, FORGETTING ** lag.clamp(min=0).float(), 0.0)
        self.register_buffer("counting", counting, persistent=False)
        self.register_buffer("fading", FORGETTING ** torch.arange(target_size).float(), persistent=False)

    def forward(self, hidden: Tensor, inputs: Tensor) -> ExpertMixture:
        """Return mixtures of batch shape (...).

        Args:
            hidden: hidden vectors (..., H).
            inputs: the actual outputs of the step (..., D), then its row of `models.adaptive.step_features`.
        """
        with torch.autocast(hidden.device.type, enabled=False):
            changes = self.projection(hidden.to(self.projection.weight.dtype))[..., None, :]
            changes = changes.clamp(-guided.LARGEST_CHANGE, guided.LARGEST_CHANGE)
            size, scales = self.target_size, self.target_size * PREDICTIONS
            values, errors, log_scales, distance = inputs[..., : size + 2 * scales + 1].split(
                [size, scales, scales, 1], -1
            )
            errors = errors.unflatten(-1, (size, PREDICTIONS))
            scale = log_scales.unflatten(-1, (size, PREDICTIONS)).exp()
            with torch.no_grad():
                before = 10 * inputs[..., -guided.EXPERTS :]
                log_weights = self._log_weights(before, errors, scale, distance[..., None, None])
            return self._mixture(changes, values, errors, scale, log_weights)

    def _log_weights(self, before: Tensor, errors: Tensor, scale: Tensor, distance: Tensor) -> Tensor:
        """Return the log weights of each sample's experts, (..., D, K), from those of the first sample.

        Args:
            before: (..., K) those of the first sample.
            errors, scale: (..., D, PREDICTIONS).
            distance: (..., 1, 1, 1) of two values of the recording; it is 0 where there is no step.
        """
        inverse = (scale[..., None] * self.widths).reciprocal()
        error, width = errors.abs()[..., None], distance.clamp(min=1.0)
        below, above = (error - 0.5 * width) * inverse, (error + 0.5 * width) * inverse
        found = logistic_interval(below, above, width * inverse).flatten(-2)
        found = found.clamp(min=math.log(LEAST_LIKELIHOOD))
        log_weights = self.fading[:, None] * before[..., None, :] + self.counting @ found
        top: Tensor = log_weights.amax(-1, keepdim=True)
        return (log_weights - top).clamp(min=guided.LEAST_LOG_WEIGHT)

    def _mixture(
        self, changes: Tensor, values: Tensor, errors: Tensor, scale: Tensor, log_weights: Tensor
    ) -> ExpertMixture:
        """Return the mixture that the projection (..., 1, CHANGES) makes of each sample's experts."""
        terms, power = changes[..., : guided.POWER], changes[..., guided.POWER : guided.SHIFTS]
        shifts = changes[..., guided.SHIFTS : guided.FACTORS]
        factors = changes[..., guided.FACTORS : guided.COMBINATIONS]
        shares = changes[..., guided.COMBINATIONS :].unflatten(-1, (PREDICTIONS, PREDICTIONS))
        # Another prediction minus one's own is one's own error minus the other's.
        others = errors * shares.sum(-1) - (shares @ errors[..., None]).squeeze(-1)
        step = self.quantisation_step
        mean = values[..., None] + step * (shifts * scale + others - errors)
        wide = step * scale * factors.exp()
        experts = len(self.widths)
        return ExpertMixture(
            terms + power.exp() * log_weights,
            mean.repeat_interleave(experts, -1),
            (wide[..., None] * self.widths).flatten(-2),
            step,
        )
