"""The loss of a head's outputs as a function of torch's autograd, with its gradient from the same kernel."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from models.distributions.distribution import Steps
from models.distributions.notes import BernoulliHead
from models.gpu_kernels import operations
from models.heads import AutoregressiveMixtureHead, FullMixtureHead, GaussianMixtureHead, MixtureHead

_COVARIANCES = (GaussianMixtureHead, FullMixtureHead, AutoregressiveMixtureHead)
"""The place of each is the number of its covariance in `models.gpu_kernels.mixtures`."""


def has_kernel(head: nn.Module, device: torch.device) -> bool:
    """Return whether the loss of a head is computed in one kernel on a device."""
    known = type(head) in (*_COVARIANCES, BernoulliHead)
    return known and next(head.parameters()).dtype == torch.float32 and operations.has_kernels(device)


def loss_of_head(head: nn.Module, hidden: Tensor, compared: Steps, count: Tensor) -> Tensor:
    """Return the negative log-likelihood, in nats, of some steps divided by a number, with its graph.

    Args:
        head: one for which `has_kernel` is true.
        hidden: hidden vectors (B, T, H).
        compared: what the head's outputs are compared with.
        count: () float32, the number of steps that the sum is divided by.
    """
    projected = head.projection(hidden)  # type: ignore[operator]
    loss: Tensor = _Loss.apply(head, projected, compared, count)  # type: ignore[no-untyped-call]
    return loss


class _Loss(torch.autograd.Function):
    """The derivatives are computed in the forward pass."""

    @staticmethod
    def forward(context: Any, head: nn.Module, projected: Tensor, compared: Steps, count: Tensor) -> Tensor:
        flat = [_rows(part) for part in (projected, compared.targets, compared.mask)]
        if isinstance(head, MixtureHead):
            bounds = [_rows(part) for part in compared.bounds or (None, None)]
            is_predictor = isinstance(head, AutoregressiveMixtureHead)
            predictor = (head.start, head.basis) if is_predictor else (None, None)
            given = (*flat, *bounds, _rows(compared.history), *predictor, count)
            covariance = _COVARIANCES.index(type(head))
            parts, slopes = _mixture_loss(*given, head.components, head.scale_floor, covariance)
        else:
            parts, slopes = _notes_loss(*flat, count)
        context.save_for_backward(slopes.view(projected.shape))
        loss: Tensor = parts.sum()
        return loss

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = context.saved_tensors
        return None, slopes * gradient, None, None


def _rows(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.reshape(-1, values.shape[-1]).contiguous()


@torch.library.custom_op("wavecast::mixture_loss", mutates_args=())
def _mixture_loss(
    projected: Tensor, targets: Tensor, mask: Tensor | None, lower: Tensor | None, upper: Tensor | None,
    history: Tensor, start: Tensor | None, basis: Tensor | None, count: Tensor,
    components: int, floor: float, covariance: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    from triton import next_power_of_2

    from models.gpu_kernels.mixtures import mixture_loss

    loss, slopes = projected.new_empty(len(projected)), torch.empty_like(projected)
    size, order = targets.shape[-1], 0 if start is None else len(start)
    sides = [next_power_of_2(max(side, 16)) for side in (components, size, order)]
    present = [loss if part is None else part for part in (mask, lower, upper, history, start, basis)]
    mixture_loss[(len(projected),)](
        projected, targets, *present, count, loss, slopes, history.shape[-1], floor,
        components, size, order, projected.shape[-1], covariance, mask is not None, lower is not None, *sides,
        num_warps=_warps(sides[0] * sides[1]),
    )  # fmt: skip
    return loss, slopes


@torch.library.custom_op("wavecast::notes_loss", mutates_args=())
def _notes_loss(
    projected: Tensor, targets: Tensor, mask: Tensor | None, count: Tensor
) -> tuple[Tensor, Tensor]:
    from triton import next_power_of_2

    from models.gpu_kernels.notes import notes_loss

    loss, slopes = projected.new_empty(len(projected)), torch.empty_like(projected)
    size = targets.shape[-1]
    notes_loss[(len(projected),)](
        projected, targets, loss if mask is None else mask, count, loss, slopes,
        size, mask is not None, next_power_of_2(size),
    )  # fmt: skip
    return loss, slopes


@_mixture_loss.register_fake
@_notes_loss.register_fake
def _(projected: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return projected.new_empty(len(projected)), torch.empty_like(projected)


def _warps(cells: int) -> int:
    """Return the warps of a program with so many cells of a table: a thread has about eight of them."""
    return min(max(cells // 256, 1), 16)
