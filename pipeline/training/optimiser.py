"""Optimisers by name, and the learning rate as a plain function of the update."""

import math
from collections.abc import Iterable

import torch

from pipeline.config.training import TrainConfig


def make_optimizer(parameters: Iterable[torch.nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """Return an optimiser for these parameters.

    Args:
        parameters: the weights to train.
        config: names the optimiser, its learning rate and weight decay.
    """
    rate, decay = config.learning_rate, config.weight_decay
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
