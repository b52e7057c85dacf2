"""Progress of preparation and training on the page of a flow run: a progress bar, and a line of log.

A Prefect server that does not answer neither stops a stage nor is asked again at once.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.pages.artifacts import key_of, published
from flows.pages.run_logs import log
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.processes.progress import Progress, progress_of

BAR_SECONDS = 5.0
"""Shortest time between two updates of a progress bar."""
LINE_SECONDS = 30.0
"""Time between two lines of log within an epoch, and between two of a preparation."""
EPOCH_LINE_SECONDS = 5.0
"""Shortest time between the lines of two epochs."""
PAUSE_SECONDS = 60.0
"""Time without updates after a failed one."""


class ProgressBar:
    """A progress artifact of the present task or flow run."""

    def __init__(self, key: str, description: str) -> None:
        self._key, self._description = key, description
        self._id: UUID | None = None
        self._due = 0.0

    def show(self, fraction: float, at_once: bool = False) -> None:
        """Show a fraction from 0 to 1; calls in quick succession have no effect, except ``at_once``."""
        now = time.monotonic()
        if now < self._due and not at_once:
            return
        self._due = now + BAR_SECONDS
        if not published(lambda: self._send(round(100 * fraction, 1))):
            self._due = time.monotonic() + PAUSE_SECONDS

    def _send(self, percent: float) -> None:
        if self._id is None:
            self._id = cast("UUID", create_progress_artifact(percent, self._key, self._description))
        else:
            update_progress_artifact(self._id, percent)


def preparation_progress(name: str) -> Callable[[int, int], None]:
    """Return a function that shows the numbers of finished recordings and of all.

    Args:
        name: name of the run's configuration.
    """
    bar = ProgressBar(key_of(name, "preparation"), "recordings prepared")
    line_due = time.monotonic() + LINE_SECONDS

    def show(done: int, total: int) -> None:
        nonlocal line_due
        bar.show(done / max(1, total), at_once=done == total)
        if time.monotonic() >= line_due:
            line_due = time.monotonic() + LINE_SECONDS
            log(f"{done:,} of {total:,} recordings are prepared")

    return show


class TrainingObserver:
    """Progress of a training in a child process, by the journal of its run folder."""

    def __init__(self, run: Path, key: str) -> None:
        self._run = RunFolder(run)
        self._config = self._run.config().train
        self._bar = ProgressBar(key, f"training of {self._run.path.name}")
        self._last = progress_of(self._run, self._config)
        self._logged_s = time.monotonic()
        self._logged = self._last

    def __call__(self) -> None:
        """Read the journal, and show what is new; a failure does not end the training."""
        published(self._show)

    def _show(self) -> None:
        found = progress_of(self._run, self._config)
        if found is None or (self._last is not None and found.step == self._last.step):
            return
        self._last = found
        self._bar.show(found.fraction)
        new_epoch = self._logged is None or found.epochs_done > self._logged.epochs_done
        wait_s = EPOCH_LINE_SECONDS if new_epoch else LINE_SECONDS
        if time.monotonic() - self._logged_s >= wait_s:
            self._log(found)

    def finish(self) -> None:
        """Show the end of a training that was finished."""
        found = progress_of(self._run, self._config)
        if found is not None and found != self._logged:
            self._log(found)
        self._bar.show(1.0, at_once=True)

    def _log(self, found: Progress) -> None:
        self._logged_s, self._logged = time.monotonic(), found
        log(found.text)
