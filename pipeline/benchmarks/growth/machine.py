"""What a machine can do at most on one thread: its matrix products and its memory."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from pipeline.common.devices import one_thread

_SIZE = 1024
_COPIED_BYTES = 1 << 28
"""More than the caches of most processors hold."""
_ROUNDS = 5


def machine_rates() -> dict[str, float]:
    """Measure two rates of this machine on one thread, as medians of a few rounds.

    Returns:
        ``product_flops``: operations per second of a product of two float32 matrices of 1,024 by 1,024, two
        for each multiplication with its addition. ``memory_bytes``: bytes per second that a copy of 256 MiB
        reads and writes.
    """
    with one_thread():
        a, b = torch.randn(2, _SIZE, _SIZE)
        product = torch.empty(_SIZE, _SIZE)
        source = np.ones(_COPIED_BYTES, np.uint8)
        target = np.empty_like(source)
        product_s = _median_seconds(lambda: torch.mm(a, b, out=product))
        copy_s = _median_seconds(lambda: np.copyto(target, source))
    return {"product_flops": 2 * _SIZE**3 / product_s, "memory_bytes": 2 * _COPIED_BYTES / copy_s}


def _median_seconds(work: Callable[[], object]) -> float:
    """Return processor seconds, which other programs on the machine disturb least."""
    seconds = []
    for round_number in range(_ROUNDS + 1):
        began = time.process_time()
        work()
        if round_number:
            seconds.append(time.process_time() - began)
    return statistics.median(seconds)
