"""What follows from the loss and the gradient of an update, decided on the device.

On a GPU one kernel does it (`models.gpu_kernels`). The operations here are its definition, and run elsewhere.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from models.gpu_kernels import operations
from pipeline.training.averaging import warmed_up_decay
from pipeline.training.optimiser import NORM_FLOOR

LOSS, STEPS, NORM, UPDATES, SKIPPED, SKIPPED_IN_ROW, DONE = range(7)
"""Places in `Register.sums`."""


class Register(NamedTuple):
    """Numbers that stay on the device between updates.

    Attributes:
        row: (1,) int64, the row of the tables that is next.
        sums: (7,) float64. Of the updates since the host last read it, without skipped ones: the sum of
            losses times steps, the steps, the sum of gradient norms, and their number. Then the skipped
            updates since it was last read, those in a row up to now, and all updates that were not skipped.
        rate: () float32, learning rate of the present update.
        scale: () float32, what the gradient is divided by so that its norm is at most the largest one.
        found_inf: () float32, 1 where the present update is skipped, else 0.
        fraction: () float32, of the distance to the weights by which their average moves.
    """

    row: Tensor
    sums: Tensor
    rate: Tensor
    scale: Tensor
    found_inf: Tensor
    fraction: Tensor

    @classmethod
    def on(cls, device: torch.device) -> "Register":
        """Return a register of zeros."""
        row = torch.zeros(1, dtype=torch.int64, device=device)
        sums = torch.zeros(7, dtype=torch.float64, device=device)
        return cls(row, sums, *(torch.zeros((), device=device) for _ in range(4)))


def settle(
    register: Register, numbers: Tensor, loss: Tensor, norm: Tensor, clip_norm: float, decay: float
) -> None:
    """Set the register's rate, scale, ``found_inf`` and fraction, add up its sums, and advance its row.

    Args:
        register: is changed in place.
        numbers: see `pipeline.training.gpu.tables.Tables`.
        loss: () the loss per step.
        norm: () norm of the whole gradient.
        clip_norm: the largest norm.
        decay: of the average of the weights, see `pipeline.training.averaging.warmed_up_decay`.
    """
    if operations.has_kernels(loss.device):
        operations.settle_update(*register, numbers, loss, norm, clip_norm, decay, NORM_FLOOR)
        return
    rate, steps = numbers.index_select(0, register.row)[0].unbind()
    finite = torch.isfinite(loss) & torch.isfinite(norm)
    register.rate.copy_(rate)
    register.scale.copy_(((norm + NORM_FLOOR) / clip_norm).clamp(min=1))
    register.found_inf.copy_(~finite)
    sums, one = register.sums, torch.ones_like(norm)
    news = torch.stack([loss * steps, steps, norm, one]).double()
    sums[:SKIPPED] += torch.where(finite, news, 0.0)
    sums[SKIPPED] += ~finite
    sums[SKIPPED_IN_ROW] = (sums[SKIPPED_IN_ROW] + 1) * ~finite
    sums[DONE] += finite
    register.fraction.copy_((1 - warmed_up_decay(decay, sums[DONE])) * finite)
    register.row.add_(1)
