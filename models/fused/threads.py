"""Parts of a loop on threads: as many as torch computes with."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

Part = TypeVar("Part")


def run(function: Callable[[Part], None], parts: Iterable[Part]) -> None:
    """Call ``function`` for each part, on several threads where torch uses several."""
    parts = list(parts)
    threads = min(torch.get_num_threads(), len(parts))
    if threads == 1:
        for part in parts:
            function(part)
        return
    for _ in _pool(torch.get_num_threads(), os.getpid()).map(function, parts):
        pass


def ranges(count: int, unit: int, most: int) -> list[tuple[int, int]]:
    """Divide ``count`` into ranges, about one for each thread, for `run`.

    Args:
        count: the end of the last range.
        unit: all begin at a multiple of this.
        most: largest size of a range, a multiple of ``unit``.
    """
    share = -(-count // torch.get_num_threads())
    size = min(most, -(-share // unit) * unit)
    return [(begin, min(begin + size, count)) for begin in range(0, count, size)]


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Return the threads of this process; those of a parent do not live in its fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="recurrent")
