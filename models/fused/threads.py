"""Parts of a loop on threads: as many as torch computes with."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

import torch

Part = TypeVar("Part")
Found = TypeVar("Found")

FEWEST_NUMBERS = 1 << 20
"""Numbers that one thread copies in about the time in which another wakes up."""


def run(function: Callable[[Part], None], parts: Iterable[Part], copied: int | None = None) -> None:
    """Call ``function`` for each part, on several threads where torch uses several.

    The calling thread is one of them, so that only the others have to wake up.

    Args:
        function: called with each part.
        parts: the parts.
        copied: numbers that all parts together copy, where they compute nothing: for few, one thread is
            enough.
    """
    waiting = deque(parts)
    if len(waiting) == 1:
        function(waiting[0])
        return
    others = min(torch.get_num_threads(), len(waiting)) - 1

    def work() -> None:
        while True:
            try:
                part = waiting.popleft()
            except IndexError:
                return
            function(part)

    if alone(copied):
        others = 0
    helpers = [_pool(torch.get_num_threads() - 1, os.getpid()).submit(work) for _ in range(others)]
    try:
        work()
    finally:
        waiting.clear()
        begun = [helper for helper in helpers if not helper.cancel()]  # the rest has nothing left to do
        wait(begun)
    for helper in begun:
        helper.result()


def each(function: Callable[[Part], Found], parts: Sequence[Part]) -> list[Found]:
    """Return what ``function`` returns for each part, in their order; see `run`."""
    if len(parts) == 1:
        return [function(parts[0])]
    found: dict[int, Found] = {}

    def work(place: int) -> None:
        found[place] = function(parts[place])

    run(work, range(len(parts)))
    return [found[place] for place in range(len(parts))]


def alone(copied: int | None) -> bool:
    """Return whether one thread copies so many numbers; see `run`."""
    return copied is not None and copied < FEWEST_NUMBERS


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
