"""One kernel for the changes of all weights by RMSProp, see `pipeline.training.gpu.optimisers`."""

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


@triton.jit  # type: ignore[untyped-decorator]
def rmsprop_changes(  # type: ignore[no-untyped-def]
    gradients, weights, squares, velocities, changes, rate, scale, found_inf, size,
    decay: tl.constexpr, kept: tl.constexpr, momentum: tl.constexpr, floor: tl.constexpr,
    epsilon: tl.constexpr, has_velocity: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Compute the changes of some weights; squares and velocities are changed in place."""
    place = tl.program_id(0) * block + tl.arange(0, block)
    inside = place < size
    moves = inside & (tl.zeros_like(place) == tl.load(found_inf).to(tl.int32))
    gradient = tl.load(gradients + place, mask=inside, other=0.0) / tl.load(scale)
    if decay != 0.0:
        gradient += decay * tl.load(weights + place, mask=inside, other=0.0)
    square = tl.load(squares + place, mask=inside, other=0.0)
    found = kept * square + (1.0 - kept) * gradient * gradient
    if has_velocity:
        root = tl.sqrt(found)
        root = tl.where(root < floor, floor, root)
        velocity = tl.load(velocities + place, mask=inside, other=0.0)
        change = momentum * velocity - tl.load(rate) * gradient / root
        tl.store(velocities + place, change, mask=moves)
    else:
        change = -tl.load(rate) * gradient / (tl.sqrt(found) + epsilon)
    tl.store(squares + place, found, mask=moves)
    tl.store(changes + place, tl.where(moves, change, 0.0), mask=inside)


def find_changes(
    gradients: Tensor, weights: Tensor | None, squares: Tensor, velocities: Tensor | None, changes: Tensor,
    rate: Tensor, scale: Tensor, found_inf: Tensor,
    decay: float, kept: float, momentum: float, floor: float, epsilon: float,
) -> None:  # fmt: skip
    """Write the changes; for the arguments see `pipeline.training.gpu.optimisers`."""
    size = len(changes)
    weights, velocity = (changes if part is None else part for part in (weights, velocities))
    rmsprop_changes[(triton.cdiv(size, BLOCK),)](
        gradients, weights, squares, velocity, changes, rate, scale, found_inf, size,
        decay, kept, momentum, floor, epsilon, velocities is not None, BLOCK,
    )  # fmt: skip
