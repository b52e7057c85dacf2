"""Output heads: from the hidden vector of a step to the distribution of its outputs."""

import math

import torch
from torch import Tensor, nn

from models.mixture import GaussianMixture


class GaussianMixtureHead(nn.Module):
    """Projects H hidden values to a `GaussianMixture` of K components over D outputs.

    The mixture's arithmetic is float32 even under reduced precision, and each scale is
    ``scale_floor + exp(raw)``, so that no likelihood grows without bound on constant sound.

    Args:
        hidden_size: H.
        target_size: D.
        components: K.
        scale_floor: smallest standard deviation, in the units of the outputs.
    """

    MAX_RAW = 7.0
    """exp(7) is 1,100 standard deviations of the data; a larger scale is a sign of divergence."""

    def __init__(self, hidden_size: int, target_size: int, components: int, scale_floor: float) -> None:
        super().__init__()
        self.components = components
        self.target_size = target_size
        self.scale_floor = scale_floor
        self.projection = nn.Linear(hidden_size, components * (1 + 2 * target_size))
        self._spread_components()

    def _spread_components(self) -> None:
        """Start the components at different widths, so that they specialise instead of moving as one."""
        k, d = self.components, self.target_size
        with torch.no_grad():
            bias = self.projection.bias
            bias[:k].zero_()
            widths = torch.linspace(math.log(0.03), 0.0, k) if k > 1 else torch.zeros(1)
            bias[k + k * d :] = widths[:, None].expand(k, d).reshape(-1)

    def forward(self, hidden: Tensor) -> GaussianMixture:
        """Hidden vectors (..., H) to distributions of batch shape (...)."""
        k, d = self.components, self.target_size
        with torch.autocast(
            hidden.device.type, enabled=False
        ):  # eight bits of a mean are too few for samples
            projected = self.projection(hidden.to(self.projection.weight.dtype))
        logits, mean, raw = projected.split((k, k * d, k * d), -1)
        scale = raw.clamp(max=self.MAX_RAW).exp() + self.scale_floor
        shape = (*hidden.shape[:-1], k, d)
        return GaussianMixture(logits, mean.reshape(shape), scale.reshape(shape))
