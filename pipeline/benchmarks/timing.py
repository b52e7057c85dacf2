"""Timing in alternating rounds, so that the drifting speed of a shared machine affects all alike."""

import time
from collections.abc import Callable

import torch


def alternating_seconds(rounds: int, *ways: Callable[[], object], warm_up: int = 1) -> list[list[float]]:
    """Return the seconds of each function's rounds, GPU work included.

    Args:
        rounds: number of timed rounds.
        *ways: functions, called in turn.
        warm_up: number of untimed rounds before.
    """
    seconds: list[list[float]] = [[] for _ in ways]
    for round_number in range(warm_up + rounds):
        for way, times in zip(ways, seconds, strict=True):
            began = time.perf_counter()
            way()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if round_number >= warm_up:
                times.append(time.perf_counter() - began)
    return seconds
