"""Where the kernels run, and those of them that change numbers of a training, as operations of torch.

Triton is imported at the first call.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

COMPILERS = ("cc", "gcc", "clang")


_switch = {"on": True}


def has_kernels(device: torch.device) -> bool:
    """Return whether a device runs the kernels: a GPU, on a machine where Triton can compile."""
    return _switch["on"] and device.type == "cuda" and _can_compile()


@contextmanager
def without_kernels() -> Iterator[None]:
    """Compute with torch's operations inside, for comparisons."""
    before = _switch["on"]
    _switch["on"] = False
    try:
        yield
    finally:
        _switch["on"] = before


def turn_off() -> None:
    """Compute with torch's operations from now on in this process."""
    _switch["on"] = False


@cache
def _can_compile() -> bool:
    compiler = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), None)
    return find_spec("triton") is not None and compiler is not None


@torch.library.custom_op(
    "wavecast::settle_update", mutates_args=("row", "sums", "rate", "scale", "found_inf", "fraction")
)
def settle_update(
    row: Tensor, sums: Tensor, rate: Tensor, scale: Tensor, found_inf: Tensor, fraction: Tensor,
    numbers: Tensor, loss: Tensor, norm: Tensor, clip_norm: float, decay: float, norm_floor: float,
) -> None:  # fmt: skip
    """Change a register of `pipeline.training.gpu.settling` in place, see there."""
    from models.gpu_kernels.register import settle

    register = row, sums, rate, scale, found_inf, fraction
    settle(register, numbers, loss, norm, clip_norm, decay, norm_floor)


@torch.library.custom_op("wavecast::rmsprop_changes", mutates_args=("squares", "velocities", "changes"))
def rmsprop_changes(
    gradients: Tensor, weights: Tensor | None, squares: Tensor, velocities: Tensor | None, changes: Tensor,
    rate: Tensor, scale: Tensor, found_inf: Tensor,
    decay: float, kept: float, momentum: float, floor: float, epsilon: float,
) -> None:  # fmt: skip
    """Write the changes of weights that `pipeline.training.gpu.optimisers` defines, see there."""
    from models.gpu_kernels.rmsprop import find_changes

    find_changes(
        gradients, weights, squares, velocities, changes, rate, scale, found_inf,
        decay, kept, momentum, floor, epsilon,
    )  # fmt: skip


@settle_update.register_fake
@rmsprop_changes.register_fake
def _(*arguments: Any) -> None:
    return None


@torch.library.custom_op("wavecast::gather_batch", mutates_args=("state",))
def gather_batch(
    row: Tensor, found_inf: Tensor, chunks: Tensor, numbers: Tensor, rows: Tensor, mean: Tensor, std: Tensor,
    distances: Tensor | None, lane_of_state: Tensor, state: Tensor,
    unit: float, framing: list[int], length: int, lowest: int,
) -> list[Tensor]:  # fmt: skip
    """Gather a batch of ``length`` steps as `pipeline.training.gpu.batch` does, and reset states in place.

    Args:
        row, found_inf, chunks, numbers: of the register and the tables.
        rows, mean, std, unit: what is gathered, and its normalisation.
        distances: (recordings + 1,) distance of two values of each recording, the first for an empty lane;
            None for the density.
        lane_of_state, state: all numbers of the state, and the lane of each.
        framing: window, hop and width.
        length: T.
        lowest: the smallest sample.

    Returns:
        Inputs, targets, stored targets, mask, bounds (empty for the density), where the state is kept,
        recordings, and (2,) the number of steps and of values.
    """
    from models.gpu_kernels.batch import gather

    batch = _empty_batch(chunks, rows, framing, length, distances is not None)
    gather(
        (row, found_inf), (chunks, numbers), rows, (mean, std), distances, (lane_of_state, state), batch,
        unit, framing, lowest,
    )  # fmt: skip
    return batch


@gather_batch.register_fake
def _(
    row: Tensor, found_inf: Tensor, chunks: Tensor, numbers: Tensor, rows: Tensor, mean: Tensor, std: Tensor,
    distances: Tensor | None, lane_of_state: Tensor, state: Tensor,
    unit: float, framing: list[int], length: int, lowest: int,
) -> list[Tensor]:  # fmt: skip
    return _empty_batch(chunks, rows, framing, length, distances is not None)


def _empty_batch(chunks: Tensor, rows: Tensor, framing: list[int], length: int, exact: bool) -> list[Tensor]:
    window, hop, width = framing
    shape = (chunks.shape[1], length)
    targets = (*shape, hop * width)
    bounds = targets if exact else (0,)
    kinds: list[tuple[tuple[int, ...], torch.dtype]] = [
        ((*shape, window * width), torch.float32),
        (targets, torch.float32),
        (targets, rows.dtype),
        (targets, torch.bool),
        (bounds, torch.float64),
        (bounds, torch.float64),
        (shape[:1], torch.bool),
        (shape[:1], torch.int64),
        ((2,), torch.float32),
    ]
    return [torch.empty(size, dtype=dtype, device=rows.device) for size, dtype in kinds]
