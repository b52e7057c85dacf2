"""One process for several trainings, each of which is waited for by itself."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from pipeline.errors import UserError
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.processes.child import POLL_SECONDS
from pipeline.training.together.groups import groups_of

Launch = Callable[[Sequence[Path], Callable[[], None]], None]
"""Trains runs in one process until it ends, and calls a function every two seconds."""


class Stopped(Exception):
    """A training was ended because the process that wants its result stops; it can be resumed."""


class SharedTraining:
    """A group of runs that one process trains together.

    Each is waited for in a thread of its own. The process begins with the first of them, and ends when nobody
    waits for it any more.

    Args:
        runs: run folders, see `pipeline.training.together.groups`.
        launch: trains those that are not trained yet.
        slots: as many as there may be processes of several groups at a time.
    """

    def __init__(self, runs: Sequence[Path], launch: Launch, slots: threading.Semaphore) -> None:
        self._left = list(runs)
        self._launch, self._slots = launch, slots
        self._lock = threading.Lock()
        self._process: Future[None] | None = None

    def train(self, run: Path, observe: Callable[[], None]) -> None:
        """Wait until a run of the group is trained.

        Args:
            run: the run folder.
            observe: called every two seconds; an exception that it raises ends the training after its epoch.

        Raises:
            UserError: the training failed.
            TrainingInterrupted: the process was lost; another call resumes the training.
        """
        folder = RunFolder(run)
        if folder.status()["status"] == "finished":
            return
        process = self._started()
        try:
            while not process.done() and folder.status()["status"] == "running":
                observe()
                wait([process], POLL_SECONDS)
            observe()
        except BaseException:
            self._leave(folder, process)
            raise
        status = folder.status()
        if status["status"] == "running":  # the process ended before
            process.result()
            raise UserError(f"{run}: was not trained (its message is above)")
        self._forget(run)
        if status["status"] == "failed":
            raise UserError(f"{run}: training failed ({str(status['reason']).removeprefix(f'{run}: ')})")

    def _started(self) -> "Future[None]":
        """Return the process, which is started where there is none, or the last one was lost."""
        with self._lock:
            if self._process is None or self._process.done():
                runs = [run for run in self._left if RunFolder(run).status()["status"] != "finished"]
                for run in runs:
                    RunFolder(run).set_status("running")
                pool = ThreadPoolExecutor(1, thread_name_prefix="together")
                self._process = pool.submit(self._run, runs)
                pool.shutdown(wait=False)
            return self._process

    def _run(self, runs: Sequence[Path]) -> None:
        while not self._slots.acquire(timeout=POLL_SECONDS):
            self._stop_if_alone()
        try:
            self._launch(runs, self._stop_if_alone)
        finally:
            self._slots.release()

    def _stop_if_alone(self) -> None:
        if not self._left:
            raise Stopped

    def _leave(self, folder: RunFolder, process: "Future[None]") -> None:
        """End one training after its epoch, or the process if it is the last one."""
        self._forget(folder.path)
        folder.end_request.touch()
        while not process.done() and folder.end_request.exists() and folder.status()["status"] == "running":
            wait([process], POLL_SECONDS)
        folder.end_request.unlink(missing_ok=True)

    def _forget(self, run: Path) -> None:
        with self._lock:
            self._left = [each for each in self._left if each != run]


def shared_trainings(
    runs: Iterable[Path], most: int, launch: Launch, slots: int
) -> Mapping[Path, SharedTraining]:
    """Return the group of each run.

    Args:
        runs: run folders.
        most: largest size of a group.
        launch: see `SharedTraining`.
        slots: number of processes at a time.
    """
    semaphore = threading.Semaphore(slots)
    return {
        run: shared
        for group in groups_of(list(runs), most)
        for shared in [SharedTraining(group, launch, semaphore)]
        for run in group
    }
