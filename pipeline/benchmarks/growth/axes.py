"""The sizes that are measured, each axis from a common middle, every point in a process of its own."""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from pipeline.benchmarks.growth.machine import machine_rates
from pipeline.benchmarks.growth.point import Size, measure
from pipeline.errors import notices_to

MIDDLE = Size(hidden_size=256, bptt_steps=100, lanes=32, hours=0.1)
AXES: dict[str, tuple[float, ...]] = {
    "hidden_size": (64, 128, 256, 512, 1024, 2048),
    "bptt_steps": (10, 25, 50, 100, 200, 400, 800),
    "lanes": (1, 4, 16, 32, 64, 128, 256),
    "hours": (0.1, 1, 10),
}
QUICK_AXES: dict[str, tuple[float, ...]] = {
    "hidden_size": (16, 32),
    "bptt_steps": (5, 10),
    "lanes": (2, 4),
    "hours": (0.02, 0.1),
}
QUICK_MIDDLE = Size(hidden_size=16, bptt_steps=10, lanes=4, hours=0.02)
UPDATES, UPDATES_OF_HOURS = 10, 100


def bench_growth(
    cell: str,
    axes: Mapping[str, Sequence[float]] = AXES,
    middle: Size = MIDDLE,
    *,
    folder: Path,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure speed and memory of training over each axis, the other sizes those of the middle.

    Args:
        cell: name of the recurrent cell.
        axes: values of each axis that is measured.
        middle: the common point.
        folder: where data sets are written, each removed after its point.
        report: called with a line about each point, and with each notice of a training, once.

    Returns:
        ``machine``: see `machine_rates`. ``axes``: rows by axis, see `measure`, with `limits`. All is of one
        thread, in processor time.
    """
    noticed: set[str] = set()

    def in_own_process(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        found, notices = _in_own_process(work, *arguments)
        for notice in dict.fromkeys(notices):
            if notice not in noticed:
                report(notice)
        noticed.update(notices)
        return found

    rates = in_own_process(machine_rates)
    in_own_process(measure, cell, {**middle, "hours": 0.01}, 1, folder)  # compiles
    found: dict[str, list[dict[str, Any]]] = {}
    for axis, values in axes.items():
        found[axis] = []
        for value in values:
            size: Any = {**middle, axis: value if axis == "hours" else int(value)}
            updates = UPDATES_OF_HOURS if axis == "hours" else UPDATES
            row = in_own_process(measure, cell, size, updates, folder)
            row |= limits(row, rates)
            found[axis].append(row)
            report(f"{axis} {value:g}: {row['steps_per_second']:,.0f} steps/s")
    what = f"{cell}, 20 Gaussians, one thread, steps per second of processor time"
    return {"what": what, "machine": rates, "middle": dict(middle), "axes": found}


def limits(row: Mapping[str, Any], rates: Mapping[str, float]) -> dict[str, float]:
    """Return the most steps per second that the machine's products and its memory allow.

    Args:
        row: gives parameters and lanes.
        rates: see `machine_rates`.

    Returns:
        ``product_limit``: a step multiplies and adds with each weight once in the forward pass and twice in
        the backward pass. ``memory_limit``: where no cache holds the weights, both passes read them at every
        step, once for all lanes.
    """
    flops_of_step, bytes_of_pass = 6 * row["parameters"], 4 * row["parameters"]
    return {
        "product_limit": rates["product_flops"] / flops_of_step,
        "memory_limit": rates["memory_bytes"] * row["lanes"] / (2 * bytes_of_pass),
    }


def _in_own_process(work: Callable[..., dict[str, Any]], *arguments: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the result and the notices of a function in a fresh process, whose memory holds nothing else."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(_with_notices, work, *arguments).result()


def _with_notices(work: Callable[..., dict[str, Any]], *arguments: Any) -> tuple[dict[str, Any], list[str]]:
    notices: list[str] = []
    with notices_to(notices.append, printed=False):
        return work(*arguments), notices
