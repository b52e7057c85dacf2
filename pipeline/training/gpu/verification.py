"""The comparison of an update by kernels with one by the operations that define them, on a user's device."""

import math
from contextlib import nullcontext

from torch import Tensor

from models.gpu_kernels import operations
from pipeline.training.gpu.captured import seed_draws
from pipeline.training.gpu.update import DeviceUpdate

TOLERANCE = 0.1
"""Largest difference relative to the largest value, with products in TensorFloat-32 or bfloat16."""


def why_untrusted(update: DeviceUpdate) -> str | None:
    """Return why kernels must not do the updates of a training: they fail here, or give other numbers.

    The kernels are compiled on the user's machine, for a device on which they may never have run. So they do
    one update before the first, which is compared with the operations' and leaves no trace.

    Args:
        update: at the beginning of an epoch.
    """
    device, found = update.training.device, []
    if not operations.has_kernels(device):
        return None
    try:
        for kernels in (nullcontext(), operations.without_kernels()):
            with kernels, update.left_unchanged():
                seed_draws(device, 0, 0)
                update()
                found.append([part.clone() for part in _results(update)])
        difference = _difference(*found)
    except Exception as problem:  # whatever it is, the operations still run
        return (str(problem).strip() or type(problem).__name__).splitlines()[0]
    return None if difference <= TOLERANCE else f"they differ from PyTorch's operations by {difference:.2g}"


def _results(update: DeviceUpdate) -> list[Tensor]:
    """Return sums, gradients, states and moments, which depend on all kernels."""
    moments = [part for state in update.training.optimizer.state.values() for part in state.values()]
    return [update.register.sums, update.gradients.whole, *update.state.parts, *moments]


def _difference(ours: list[Tensor], expected: list[Tensor]) -> float:
    """Return the largest relative difference; 0 where the expected numbers are not finite either."""
    if not all(bool(part.isfinite().all()) for part in expected):
        return 0.0
    differences = [
        float((one.double() - other).abs().nan_to_num(math.inf).max() / (other.double().abs().max() + 1e-6))
        for one, other in zip(ours, expected, strict=True)
    ]
    return max(differences)
