"""What `pipeline.training.gpu.settling` decides after an update, in one kernel of a single program."""

import triton
import triton.language as tl
from torch import Tensor

LARGEST = 3.4028234e38


@triton.jit  # type: ignore[untyped-decorator]
def settle_update(  # type: ignore[no-untyped-def]
    row, sums, rate, scale, found_inf, fraction, numbers, loss, norm,
    clip_norm, decay, norm_floor: tl.constexpr, largest: tl.constexpr,
):  # fmt: skip
    """Read a row of the numbers, and change the register."""
    number, value, length = tl.load(row), tl.load(loss), tl.load(norm)
    steps = tl.load(numbers + 2 * number + 1)
    finite = (tl.abs(value) <= largest) & (length <= largest)
    skipped = tl.where(finite, 0.0, 1.0)
    tl.store(rate, tl.load(numbers + 2 * number))
    tl.store(scale, tl.maximum((length + norm_floor) / clip_norm, 1.0))
    tl.store(found_inf, skipped)
    tl.store(sums, tl.load(sums) + tl.where(finite, value * steps, 0.0))
    tl.store(sums + 1, tl.load(sums + 1) + tl.where(finite, steps, 0.0))
    tl.store(sums + 2, tl.load(sums + 2) + tl.where(finite, length, 0.0))
    tl.store(sums + 3, tl.load(sums + 3) + 1.0 - skipped)
    tl.store(sums + 4, tl.load(sums + 4) + skipped)
    tl.store(sums + 5, (tl.load(sums + 5) + 1.0) * skipped)
    done = tl.load(sums + 6) + 1.0 - skipped
    tl.store(sums + 6, done)
    tl.store(fraction, (1.0 - tl.minimum((1.0 + done) / (10.0 + done), decay)) * (1.0 - skipped))
    tl.store(row, number + 1)


def settle(
    register: tuple[Tensor, ...],
    numbers: Tensor,
    loss: Tensor,
    norm: Tensor,
    clip_norm: float,
    decay: float,
    norm_floor: float,
) -> None:
    """Change the register in place; for the arguments see `pipeline.training.gpu.settling.settle`."""
    settle_update[(1,)](*register, numbers, loss, norm, clip_norm, decay, norm_floor, LARGEST)
