"""The loss of a head that gives independent notes, and its derivatives by the log odds, in one kernel."""

import triton
import triton.language as tl

from models.gpu_kernels.normal import log1p


@triton.jit  # type: ignore[untyped-decorator]
def notes_loss(  # type: ignore[no-untyped-def]
    projected, targets, mask, count, loss, slopes,
    size: tl.constexpr, masked: tl.constexpr, most: tl.constexpr,
):  # fmt: skip
    """Compute one step of D = ``size`` notes.

    Args:
        projected: (N, D), log odds.
        targets: (N, D), 0 or 1.
        mask: (N, D) bytes, 0 where a note is left out; read if ``masked``.
        count: one number, the steps that the loss is divided by.
        loss: (N,), is written: each step's part of the loss.
        slopes: (N, D), is written: the derivatives of the loss.
        size: D.
        masked: whether notes are left out.
        most: a power of 2, at least D.
    """
    d = tl.arange(0, most)
    place, counts = tl.program_id(0).to(tl.int64) * size + d, d < size
    odds = tl.load(projected + place, mask=counts, other=0.0)
    value = tl.load(targets + place, mask=counts, other=0.0)
    considered = counts
    if masked:
        considered = considered & (tl.load(mask + place, mask=counts, other=0) != 0)
    smaller = tl.exp(-tl.abs(odds))
    log_prob = value * odds - tl.where(odds > 0, odds, 0.0) - log1p(smaller)
    probability = tl.where(odds > 0, 1.0, smaller) / (1.0 + smaller)
    factor = -1.0 / tl.load(count)
    tl.store(loss + tl.program_id(0), factor * tl.sum(tl.where(considered, log_prob, 0.0), 0))
    tl.store(slopes + place, tl.where(considered, factor * (value - probability), 0.0), mask=counts)
