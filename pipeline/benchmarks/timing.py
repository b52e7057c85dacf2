"""Rounds of what is compared, in turns: a shared machine's speed drifts, and drifts for all alike."""

import time
from collections.abc import Callable

import torch


def alternating_seconds(rounds: int, *ways: Callable[[], object], warm_up: int = 1) -> list[list[float]]:
    """Seconds of each round of each way, GPU work included, after ``warm_up`` rounds that do not count."""
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
