"""Temporal sensitivity of a model: the gradient of a step's log-likelihood by the inputs k steps before it.

Through a tanh layer the gradient shrinks by a factor each step (Bengio, Simard and Frasconi 1994). A
dependence whose gradient vanishes cannot be learnt, which is the reason for gates. The curve over k
shows the sensitivity of a trained model.
"""

from typing import Protocol

import torch
from torch import Tensor

from models.distributions.distribution import Distribution
from models.recurrent.stack import State


class SequenceModel(Protocol):
    """The common interface of `Predictor` and `EncoderDecoder`."""

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step."""
        ...

    def __call__(self, inputs: Tensor, state: State) -> tuple[Distribution, State]:
        """Return distributions of batch shape (B, T) and the state after, for inputs (B, T, D_in)."""
        ...


def sensitivity(
    model: SequenceModel,
    inputs: Tensor,
    targets: Tensor,
    max_distance: int,
    target_steps: int = 4,
    fixed: int = 0,
) -> Tensor:
    """Return the RMS norm of d log p(step t) / d inputs(step t - k), for k = 0 ... max_distance.

    The mean is over the batch and over ``target_steps`` steps t, evenly spaced from max_distance to the
    last (all of them where there are fewer). Targets stay fixed while inputs vary, and the inputs of
    steps are counted apart even where they hold the same rows. Costs one forward pass and as many backward
    passes as target steps; weights and their gradients are left alone. The model should be in evaluation
    mode: dropout would add noise.

    Args:
        model: the sequences begin in its initial state.
        inputs: (B, T, D_in).
        targets: (B, T, D).
        max_distance: in steps, less than T.
        target_steps: how many steps t.
        fixed: how many of the first inputs of a step stay as they are.

    Returns:
        (max_distance + 1,), in float64 and not normalised: nats per unit of the inputs.

    Raises:
        ValueError: no step has a history of max_distance steps.
    """
    steps = inputs.shape[1]
    if not 0 <= max_distance < steps:
        raise ValueError(f"max_distance must be from 0 to {steps - 1} with {steps} steps, not {max_distance}")
    seen = inputs[..., fixed:].detach().requires_grad_()
    # cudnn's recurrent layers have a gradient in training mode only.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        whole = torch.cat([inputs[..., :fixed], seen], -1)
        distribution, _ = model(whole, model.initial_state(len(inputs)))
        log_prob = distribution.log_prob(targets)
        ends = torch.linspace(max_distance, steps - 1, target_steps).round().int().unique().tolist()
        power = [_power(log_prob[:, end], seen)[end - max_distance : end + 1] for end in ends]
    return torch.stack(power).mean(0).sqrt().flip(0)


def _power(log_prob: Tensor, inputs: Tensor) -> Tensor:
    """Return the mean square (T,), over the batch, of the norm of d log_prob (B,) / d inputs (B, T, D_in)."""
    (gradient,) = torch.autograd.grad(log_prob.sum(), inputs, retain_graph=True)
    # In float64, for the square of a small float32 is 0.
    return gradient.double().square().sum(-1).mean(0)
