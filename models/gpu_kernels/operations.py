"""Where the kernels run, and those of them that change numbers of a training, as operations of torch.

Triton is imported at the first call.
"""

import os
import shutil
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

COMPILERS = ("cc", "gcc", "clang")


def has_kernels(device: torch.device) -> bool:
    """Return whether a device runs the kernels: a GPU, on a machine where Triton can compile."""
    return device.type == "cuda" and _can_compile()


@cache
def _can_compile() -> bool:
    compiler = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), None)
    return find_spec("triton") is not None and compiler is not None


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
