"""Progress bars on a terminal, silence in a pipe or a log."""

import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Item = TypeVar("Item")


def progress_bar(unit: str, visible: bool = True) -> Progress:
    """Return a bar on standard error with count, a `note` field, time spent and time left.

    Only the main thread has one, since a terminal shows one at a time, and with ``visible=False`` nobody.
    Use it as a context manager; add a task with ``bar.add_task(description, total=..., note="")``.
    """
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not visible
        or not sys.stderr.isatty()
        or threading.current_thread() is not threading.main_thread(),
        transient=True,
    )


def byte_bar() -> Progress:
    """Return a bar on standard error for bytes: those there, the rate and the time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def shown(items: Iterable[Item], total: int, description: str, visible: bool = True) -> Iterator[Item]:
    """Yield items, and count them on a progress bar.

    Args:
        items: what is counted.
        total: number of items.
        description: text before the bar.
        visible: False yields the items without a bar.
    """
    if not visible:
        yield from items
        return
    with progress_bar("chunks") as bar:
        task = bar.add_task(description, total=total, note="")
        for item in items:
            yield item
            bar.advance(task)
