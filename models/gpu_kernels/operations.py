"""The kernels as operations of torch, with their derivatives. Triton is imported at the first call."""

import os
import shutil
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

COMPILERS = ("cc", "gcc", "clang")


def has_kernels(device: torch.device) -> bool:
    """Return whether a device runs the kernels: a GPU, on a machine where Triton can compile."""
    return device.type == "cuda" and _can_compile()


@cache
def _can_compile() -> bool:
    compiler = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), None)
    return find_spec("triton") is not None and compiler is not None


@torch.library.custom_op("wavecast::mixture_density", mutates_args=())
def _mixture_density(
    logits: Tensor, mean: Tensor, scale: Tensor, value: Tensor, mask: Tensor | None, negligible: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    from models.gpu_kernels.density import log_density_with_slopes

    return log_density_with_slopes(logits, mean, scale, value, mask, negligible)


@_mixture_density.register_fake
def _(
    logits: Tensor, mean: Tensor, scale: Tensor, value: Tensor, mask: Tensor | None, negligible: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    by_logits, by_mean, by_scale = (torch.empty_like(part) for part in (logits, mean, scale))
    return logits.new_empty(logits.shape[:1]), by_logits, by_mean, by_scale


class MixtureDensity(torch.autograd.Function):
    """The log-density (...) of mixtures; its derivatives are computed with it, in one kernel."""

    @staticmethod
    def forward(
        context: Any,
        logits: Tensor,
        mean: Tensor,
        scale: Tensor,
        value: Tensor,
        mask: Tensor | None,
        negligible: float,
    ) -> Tensor:
        """Return the log-density.

        Args:
            context: of torch's autograd.
            logits: (..., K).
            mean, scale: (..., K, D).
            value: (..., D), which gets no derivative.
            mask: (..., D), outputs that are left out are false; None includes all.
            negligible: a smaller posterior weight counts as 0.
        """
        shape = scale.shape
        flat = [part.expand(shape).reshape(-1, *shape[-2:]).contiguous() for part in (mean, scale)]
        steps = len(flat[0])
        values = [
            None if part is None else part.reshape(steps, shape[-1]).contiguous() for part in (value, mask)
        ]
        found = _mixture_density(logits.reshape(steps, -1).contiguous(), *flat, *values, negligible)
        context.save_for_backward(*found[1:])
        log_prob: Tensor = found[0].view(shape[:-2])
        return log_prob

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivatives by ``logits``, ``mean`` and ``scale``."""
        shape = gradient.shape
        slopes = (part.view(*shape, *part.shape[1:]) for part in context.saved_tensors)
        found = [gradient.view(*shape, *(1,) * (part.dim() - len(shape))) * part for part in slopes]
        return *found, None, None, None


@torch.library.custom_op(
    "wavecast::settle_update", mutates_args=("row", "sums", "rate", "scale", "found_inf")
)
def settle_update(
    row: Tensor,
    sums: Tensor,
    rate: Tensor,
    scale: Tensor,
    found_inf: Tensor,
    numbers: Tensor,
    loss: Tensor,
    norms: Tensor,
    clip_norm: float,
    norm_floor: float,
) -> None:
    """Change a register of `pipeline.training.gpu.settling` in place, see there."""
    from models.gpu_kernels.register import settle

    settle((row, sums, rate, scale, found_inf), numbers, loss, norms, clip_norm, norm_floor)


@settle_update.register_fake
def _(*arguments: Tensor | float) -> None:
    return None
