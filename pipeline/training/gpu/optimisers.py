"""Optimisers whose learning rate, clipping and skipping are numbers on the device.

`torch.optim.Adam` and `AdamW` read them where they are fused (the interface of `torch.amp.GradScaler`). For
the two kinds of RMSProp, one kernel on a GPU computes the changes of all weights (`models.gpu_kernels`). The
operations here are its definition, and run elsewhere.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.gpu_kernels import operations
from pipeline.training.gpu.memory import Memory
from pipeline.training.gpu.settling import Register
from pipeline.training.optimiser import Chung2014RMSprop

EPSILON = 1e-8
"""Is added to the root of the squared gradients by `torch.optim.RMSprop`."""


class DeviceOptimiser:
    """Steps of an optimiser that read the register; a skipped update changes neither weights nor state.

    Args:
        optimizer: as `pipeline.training.optimiser.make_optimizer` returns it. Its state is created at its
            present place in memory, and the register's rate becomes its learning rate.
        register: of the training.
        weights: all that it trains.
        gradients: of these weights, which `torch.Tensor.grad` refers to.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        register: Register,
        weights: Sequence[Tensor],
        gradients: Memory,
    ) -> None:
        self.optimizer, self.register = optimizer, register
        self.weights, self.gradients = list(weights), gradients
        (group,) = optimizer.param_groups
        group["lr"] = register.rate
        if isinstance(optimizer, torch.optim.Adam):
            group["capturable"] = True
            optimizer.grad_scale, optimizer.found_inf = register.scale, register.found_inf  # type: ignore[attr-defined]
            register.found_inf.fill_(1)  # a step that changes nothing
            optimizer.step()
            register.found_inf.zero_()
            return
        self._decay = float(group.get("weight_decay", 0))
        self._changes, self._squares = self._zeros(), self._zeros()
        self._copies = self._zeros() if self._decay else None
        self._velocities = self._zeros() if isinstance(optimizer, Chung2014RMSprop) else None
        if self._velocities is not None:
            self._keep("square_average", self._squares.parts)
            self._keep("velocity", self._velocities.parts)
        else:
            self._keep("square_avg", self._squares.parts)
            self._keep("step", [torch.zeros_like(register.rate) for _ in self.weights])

    def __call__(self) -> None:
        """Move the weights once by their gradients, after `pipeline.training.gpu.settling.settle`."""
        if isinstance(self.optimizer, torch.optim.Adam):
            self.optimizer.step()
            return
        self._find_changes()
        with torch.no_grad():
            torch._foreach_add_(self.weights, self._changes.parts)
        if self._velocities is None:
            moved = 1 - self.register.found_inf
            steps = [self.optimizer.state[weight]["step"] for weight in self.weights]
            torch._foreach_add_(steps, [moved] * len(steps))

    def _zeros(self) -> Memory:
        return Memory.of([torch.zeros_like(weight) for weight in self.weights])

    def _keep(self, name: str, places: Sequence[Tensor]) -> None:
        """Keep a part of the state of each weight at a place, with its value, if it has one."""
        for weight, place in zip(self.weights, places, strict=True):
            state = self.optimizer.state[weight]
            if name in state:
                place.copy_(state[name])
            state[name] = place

    @torch.no_grad()
    def _find_changes(self) -> None:
        """Compute the changes and the state as `torch.optim.RMSprop` or `Chung2014RMSprop` do."""
        register, squares, change = self.register, self._squares.whole, self._changes.whole
        if self._copies is not None:
            torch._foreach_copy_(self._copies.parts, self.weights)
        kept, velocity = Chung2014RMSprop.AVERAGING, self._velocities and self._velocities.whole
        if operations.has_kernels(change.device):
            operations.rmsprop_changes(
                self.gradients.whole, self._copies and self._copies.whole, squares, velocity, change,
                register.rate, register.scale, register.found_inf,
                self._decay, kept, Chung2014RMSprop.MOMENTUM, Chung2014RMSprop.FLOOR, EPSILON,
            )  # fmt: skip
            return
        skipped = register.found_inf > 0
        gradient = self.gradients.whole / register.scale
        if self._copies is not None:
            gradient += self._decay * self._copies.whole
        # A gradient that is not finite must not reach a product: 0 times it is no 0.
        gradient = torch.where(skipped, 0.0, gradient)
        squares.mul_(torch.where(skipped, 1.0, kept)).addcmul_(gradient, gradient, value=1 - kept)
        if velocity is None:
            found = register.rate * gradient / (squares.sqrt() + EPSILON)
            change.copy_(torch.where(skipped, 0.0, -found))
            return
        found = register.rate * gradient / squares.sqrt().clamp(min=Chung2014RMSprop.FLOOR)
        velocity.mul_(torch.where(skipped, 1.0, Chung2014RMSprop.MOMENTUM))
        velocity.sub_(torch.where(skipped, 0.0, found))
        change.copy_(torch.where(skipped, 0.0, velocity))
