"""Exponential moving average of the weights (Polyak and Juditsky 1992), for `train.ema`.

After each update the average moves towards the weights by a fraction 1 - d. The decay d rises during the
first updates, as in TensorFlow's `ExponentialMovingAverage`, so that the initial weights are soon forgotten.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def warmed_up_decay(decay: float, update: float | Tensor) -> Any:
    """Return the decay that is used at an update: (1 + n) / (10 + n), but at most ``decay``.

    Args:
        decay: the configured decay, 0 to 1.
        update: number n of the update, from 1; it may be a tensor.

    Example:
        >>> [round(warmed_up_decay(0.99, update), 3) for update in (1, 10, 100, 10_000)]
        [0.182, 0.55, 0.918, 0.99]
    """
    warm = (1 + update) / (10 + update)
    return warm.clamp(max=decay) if isinstance(warm, Tensor) else min(decay, warm)


class WeightAverage:
    """The average of a network's weights over the updates so far.

    Args:
        network: its present weights are the start of the average.
        decay: fraction of the average that is kept at each update, after the warm-up.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: weight.detach().clone() for name, weight in network.state_dict().items()}

    def update(self, network: nn.Module) -> None:
        """Move the average towards the weights of ``network``, after an update of these."""
        self.updates += 1
        self.move(network, 1 - warmed_up_decay(self.decay, self.updates))

    def move(self, network: nn.Module, fraction: float | Tensor) -> None:
        """Move the average towards the weights of ``network`` by a fraction of the distance."""
        present = network.state_dict()
        moving = [name for name, weight in present.items() if weight.is_floating_point()]
        own, others = [self.weights[name] for name in moving], [present[name] for name in moving]
        with torch.no_grad():
            if isinstance(fraction, Tensor):
                distances = torch._foreach_sub(others, own)
                torch._foreach_mul_(distances, fraction)
                torch._foreach_add_(own, distances)
            else:
                torch._foreach_lerp_(own, others, fraction)
            for name in present.keys() - set(moving):
                self.weights[name].copy_(present[name])

    @contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """Give ``network`` the averaged weights, and its own weights back at the end."""
        own = {name: weight.detach().clone() for name, weight in network.state_dict().items()}
        network.load_state_dict(self.weights)
        try:
            yield
        finally:
            network.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged weights and the number of updates, for a checkpoint."""
        return {"weights": self.weights, "updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            KeyError: a weight is missing.
        """
        self.updates = int(state["updates"])
        found: dict[str, Tensor] = state["weights"]
        for name, weight in self.weights.items():
            weight.copy_(found[name])
