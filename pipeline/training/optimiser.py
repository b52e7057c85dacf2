"""Optimisers by name, and the learning rate as a plain function of the update."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor

from pipeline.config.training import TrainConfig

NORM_FLOOR = 1e-6
"""Is added to a gradient's norm before it divides, as in `torch.nn.utils.clip_grad_norm_`."""


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


def clip_gradients(weights: Sequence[Sequence[Tensor]], largest: Sequence[float]) -> list[Tensor]:
    """Do for each of some models what `torch.nn.utils.clip_grad_norm_` does, with few operations for all.

    Args:
        weights: of each model; their gradients are changed in place.
        largest: norm that the gradient of each model is reduced to.

    Returns:
        The norms before, () each.
    """
    gradients = [[weight.grad for weight in own if weight.grad is not None] for own in weights]
    norms = torch._foreach_norm([gradient for own in gradients for gradient in own])
    totals, begin = [], 0
    for own in gradients:
        totals.append(torch.linalg.vector_norm(torch.stack(norms[begin : begin + len(own)])))
        begin += len(own)
    scales = torch.tensor(largest, device=totals[0].device) / (torch.stack(totals) + NORM_FLOOR)
    for own, scale in zip(gradients, scales.clamp(max=1.0), strict=True):
        torch._foreach_mul_(own, scale)
    return totals


def step_all(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Let some optimisers of one kind do a step each, in one call once each has done its first."""
    if len(optimizers) < 2 or not all(each.state for each in optimizers):
        for each in optimizers:
            each.step()
        return
    joined = copy(optimizers[0])
    joined.param_groups = [group for each in optimizers for group in each.param_groups]
    joined.state = defaultdict(dict)
    for each in optimizers:
        joined.state.update(each.state)
    joined.step()


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
