"""Optimisers by name, and the learning rate as a plain function of the update."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch

from pipeline.config.training import TrainConfig


class Chung2014RMSprop(torch.optim.Optimizer):
    """RMSProp with momentum as in the code that Chung et al. (2014) released.

        s <- 0.95 s + 0.05 g^2
        v <- 0.9 v - lr g / max(sqrt(s), 0.01)
        w <- w + v

    The floor of 0.01 makes it gradient descent with momentum and the rate 100 lr where gradients are small.
    In torch's form the floor is 1e-8 and is added, so that a weight with hardly any gradient moves as far as
    all others.

    Args:
        parameters: the weights to train.
        lr: learning rate.
    """

    AVERAGING = 0.95
    MOMENTUM = 0.9
    FLOOR = 0.01

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Move the weights once; for ``closure`` see `torch.optim.Optimizer.step`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["square_average"] = torch.zeros_like(weight)
                    state["velocity"] = torch.zeros_like(weight)
                square, velocity = state["square_average"], state["velocity"]
                square.mul_(self.AVERAGING).addcmul_(weight.grad, weight.grad, value=1 - self.AVERAGING)
                root = square.sqrt().clamp_(min=self.FLOOR)
                velocity.mul_(self.MOMENTUM).addcdiv_(weight.grad, root, value=-group["lr"])
                weight.add_(velocity)
        return loss


def make_optimizer(parameters: Iterable[torch.nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """Return an optimiser for these parameters.

    Args:
        parameters: the weights to train.
        config: names the optimiser, its learning rate and weight decay.
    """
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "chung2014-rmsprop":
        return Chung2014RMSprop(parameters, lr=rate)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, weight_decay=decay, alpha=0.95)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=rate, weight_decay=decay, fused=True)


def learning_rate(config: TrainConfig, update: int, total_updates: int) -> float:
    """Return the learning rate of an update.

    It increases linearly during the warm-up, then decreases by the schedule.

    Args:
        config: learning rate, warm-up, schedule and final fraction.
        update: number of the update, from 0.
        total_updates: updates of the whole training.

    Example:
        >>> from pipeline.config.training import TrainConfig
        >>> config = TrainConfig(learning_rate=0.001, warmup_updates=0, schedule="linear",
        ...                      final_learning_rate_fraction=0.0)
        >>> [learning_rate(config, update, 100) for update in (0, 50, 100)]
        [0.001, 0.0005, 0.0]
    """
    if update < config.warmup_updates:
        return config.learning_rate * (update + 1) / (config.warmup_updates + 1)
    if config.schedule == "constant":
        return config.learning_rate
    progress = min(1.0, (update - config.warmup_updates) / max(1, total_updates - config.warmup_updates))
    remaining = 1 - progress if config.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
    final = config.final_learning_rate_fraction
    return config.learning_rate * (final + (1 - final) * remaining)
