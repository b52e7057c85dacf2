"""Small networks in torch and compiled, and random numbers for them to draw with."""

from typing import Any

import numpy as np
import torch

from models.compiled.predictor import CompiledPredictor
from models.heads import AutoregressiveMixtureHead, FullMixtureHead, GaussianMixtureHead
from models.predictor import Predictor
from models.recurrent.stack import RecurrentStack

TARGETS, COMPONENTS, ORDER, WINDOW, SEEN, FLOOR = 5, 4, 12, 14, 10, 1e-4
COVARIANCES = ["diagonal", "full", "autoregressive"]


def predictor(
    cell: str, covariance: str = "diagonal", units: int = 37, seen: int = SEEN, **layers: Any
) -> Predictor:
    """A small predictor with weights large enough to matter."""
    torch.manual_seed(len(cell) + len(covariance) + units)
    step = layers.pop("companding_step", None)
    recurrent = RecurrentStack(cell, seen * (1 if step is None else 2), units, **layers)
    mixture = (units, TARGETS, COMPONENTS, FLOOR)
    if covariance == "autoregressive":
        head: Any = AutoregressiveMixtureHead(*mixture, ORDER)
        past = torch.tensor([0.8, -0.3, 0.1] + [0.0] * (ORDER - 3))
        head.start_at(past, 0.1, 0.01)
    else:
        head = {"diagonal": GaussianMixtureHead, "full": FullMixtureHead}[covariance](*mixture)
    network = Predictor(seen, recurrent, head, companding_step=step).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.add_(0.03 * torch.randn_like(parameter))
    return network


def compiled(network: Predictor, cell: str, covariance: str = "diagonal") -> CompiledPredictor:
    """The same network, compiled."""
    return CompiledPredictor(
        {name: value.numpy() for name, value in network.state_dict().items()},
        cell,
        seen=network.seen,
        target_size=TARGETS,
        components=COMPONENTS,
        covariance=covariance,  # type: ignore[arg-type]
        scale_floor=FLOOR,
        companding_step=network.companding_step,
        residual=network.recurrent.residual,
    )


def both(cell: str, covariance: str = "diagonal", **settings: Any) -> tuple[Predictor, CompiledPredictor]:
    network = predictor(cell, covariance, **settings)
    return network, compiled(network, cell, covariance)


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def numbers(batch: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Uniform (B, T) and normal (B, T, D) random numbers."""
    uniform = np.random.default_rng(1).random((batch, steps), np.float32)
    return uniform, values(batch, steps, TARGETS, seed=2)
