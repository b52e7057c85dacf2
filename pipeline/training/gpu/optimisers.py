"""Optimisers whose learning rate, clipping and skipping are numbers on the device.

`torch.optim.Adam` and `AdamW` read them where they are fused (the interface of `torch.amp.GradScaler`). The
two kinds of RMSProp are written out here.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.training.gpu.settling import Register
from pipeline.training.optimiser import Chung2014RMSprop

EPSILON = 1e-8
"""Is added to the root of the squared gradients by `torch.optim.RMSprop`."""


def prepare(optimizer: torch.optim.Optimizer, register: Register) -> None:
    """Let an optimiser read the register, and create its state at its present place in memory.

    Args:
        optimizer: as `pipeline.training.optimiser.make_optimizer` returns it.
        register: its rate becomes the learning rate.
    """
    for group in optimizer.param_groups:
        group["lr"] = register.rate
    if isinstance(optimizer, torch.optim.Adam):
        for group in optimizer.param_groups:
            group["capturable"] = True
        optimizer.grad_scale, optimizer.found_inf = register.scale, register.found_inf  # type: ignore[attr-defined]
        register.found_inf.fill_(1)  # a step that changes nothing
        optimizer.step()
        return
    for group in optimizer.param_groups:
        for weight in group["params"]:
            state = optimizer.state[weight]
            for name in _names(optimizer):
                state.setdefault(name, torch.zeros_like(weight))
            if not isinstance(optimizer, Chung2014RMSprop):
                state.setdefault("step", torch.zeros_like(register.rate))


def step(optimizer: torch.optim.Optimizer, register: Register) -> None:
    """Move the weights once by their gradients; a skipped update changes neither them nor the state.

    Args:
        optimizer: after `prepare`.
        register: after `pipeline.training.gpu.settling.settle`.
    """
    if isinstance(optimizer, torch.optim.Adam):
        optimizer.step()
        return
    for group in optimizer.param_groups:
        _rmsprop_step(optimizer, group["params"], float(group.get("weight_decay", 0)), register)


@torch.no_grad()
def _rmsprop_step(
    optimizer: torch.optim.Optimizer, weights: list[Tensor], decay: float, register: Register
) -> None:
    """Step as `torch.optim.RMSprop` or `Chung2014RMSprop` do; where it is skipped, by nothing."""
    skipped, moved = register.found_inf > 0, 1 - register.found_inf
    gradients = list(torch._foreach_div([_gradient(weight) for weight in weights], register.scale))
    if decay:
        torch._foreach_add_(gradients, weights, alpha=decay)
    # A gradient that is not finite must not reach a product: 0 times it is no 0.
    gradients = [torch.where(skipped, 0.0, gradient) for gradient in gradients]
    state = [optimizer.state[weight] for weight in weights]
    squares = [each[_names(optimizer)[0]] for each in state]
    kept = Chung2014RMSprop.AVERAGING
    torch._foreach_mul_(squares, torch.where(skipped, 1.0, kept))
    torch._foreach_addcmul_(squares, gradients, gradients, 1 - kept)
    roots = list(torch._foreach_sqrt(squares))
    rate = torch.where(skipped, 0.0, register.rate)
    if isinstance(optimizer, Chung2014RMSprop):
        velocities = [each["velocity"] for each in state]
        torch._foreach_clamp_min_(roots, Chung2014RMSprop.FLOOR)
        torch._foreach_mul_(velocities, torch.where(skipped, 1.0, Chung2014RMSprop.MOMENTUM))
        torch._foreach_sub_(velocities, _times(torch._foreach_div(gradients, roots), rate))
        torch._foreach_add_(weights, _times(velocities, moved))
    else:
        torch._foreach_add_([each["step"] for each in state], [moved] * len(state))
        torch._foreach_add_(roots, EPSILON)
        torch._foreach_sub_(weights, _times(torch._foreach_div(gradients, roots), rate))


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def _times(tensors: Sequence[Tensor], factor: Tensor) -> list[Tensor]:
    return list(torch._foreach_mul(list(tensors), factor))


def _names(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """Return the names of the state that an RMSProp keeps of each weight."""
    if isinstance(optimizer, Chung2014RMSprop):
        return "square_average", "velocity"
    return ("square_avg",)
