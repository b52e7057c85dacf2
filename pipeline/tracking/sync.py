"""Synchronisation of runs with MLflow. A run folder on disk is the record; MLflow receives a copy.

An interrupted upload is repeated (see `pipeline.tracking.mlflow_client`). An unavailable tracking server
neither stops a training nor loses its record.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import UserError, print_notice, reason_of
from pipeline.tracking.mlflow_client import send, store_of
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import TrackingUnavailable, redacted_uri, serve_ui, store_uri
from pipeline.tracking.sync_state import has_pending, load_sent

__all__ = [
    "Syncer",
    "TrackingUnavailable",
    "sending",
    "serve_ui",
    "store_uri",
    "sync",
    "sync_pending",
    "try_sync",
]

LOCK_WAIT_S = 30.0
"""Longest wait for another process that is sending the same run, in seconds."""
PAUSE_S = 5.0
"""Shortest time between two uploads of a running training, in seconds."""
_ONE_AT_A_TIME = threading.Lock()
"""Held during the uploads of one process: those of trainings that end together would wait for one store."""


@contextmanager
def sending(run: RunFolder, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold the run's lock. One process at a time sends a run, and its training holds the lock to its end.

    Args:
        run: the run to send.
        wait_s: seconds to wait for the lock.

    Raises:
        TrackingUnavailable: another process still holds the lock.
    """
    lock = FileLock(run.path / ".sync.lock", timeout=wait_s)
    try:
        lock.acquire()
    except Timeout:
        raise TrackingUnavailable(f"{run.path}: another process is sending this run") from None
    try:
        yield
    finally:
        lock.release()


def sync(run: RunFolder, covered: int | None = None) -> None:
    """Send what MLflow does not have yet of a run: settings, curves, artifacts, summary, status.

    Args:
        run: its folder.
        covered: send the journal up to this byte only; None sends all whole lines. Give it for a training
            that may be resumed, which removes the lines after its last checkpoint.

    Raises:
        TrackingUnavailable: the upload failed. The folder keeps the record; `sync_pending` sends it.
    """
    with sending(run):
        send(run, covered)


def try_sync(run: RunFolder, covered: int | None = None) -> bool:
    """Call `sync`, and report a failure in one line on standard error.

    Args:
        run: the run to send.
        covered: bytes of the journal to send; None sends all.

    Returns:
        Whether everything was sent.
    """
    try:
        sync(run, covered)
    except (UserError, OSError) as problem:
        print_notice(f"{reason_of(problem)}; the run is kept in {run.path}, to be sent later")
        return False
    return True


def sync_pending(runs_dir: Path, leave: Collection[Path] = ()) -> list[str]:
    """Send unsent data of earlier runs in a folder of runs, but not of those to ``leave``.

    Returns the names of the sent runs. Where nothing waits it costs a look at a small file for each run. A
    run that another process is training or sending is left to it. An unavailable store is tried once and
    reported in one line.
    """
    sent: list[str] = []
    away: set[str] = set()
    folders = (path.parent for path in sorted(runs_dir.glob("*/run.json")))
    for run in (RunFolder(folder) for folder in folders if folder not in leave):
        uri = ""
        try:
            if has_pending(run) and (uri := redacted_uri(store_of(run))) not in away and _send_later(run):
                sent.append(run.path.name)
                print_notice(f"{run.path.name}: sent to the tracking server at {uri}")
        except (UserError, OSError) as problem:
            print_notice(f"{reason_of(problem)}; {run.path.name} is sent another time")
            if isinstance(problem, TrackingUnavailable):
                away.add(uri)
    return sent


def _send_later(run: RunFolder) -> bool:
    """Send a run unless another process has it; of one that may be resumed, what its training vouched for."""
    try:
        with FileLock(run.path / ".sync.lock", timeout=0):
            if not has_pending(run):
                return False
            finished = run.status()["status"] == "finished"
            send(run, None if finished else load_sent(run, "").covered)
            return True
    except Timeout:
        return False


class Syncer:
    """Upload of a training's run in a thread, as far as the training requests it.

    A failure is reported once on standard error; later requests try again.
    """

    def __init__(
        self,
        run: RunFolder,
        before: Callable[[], object] = lambda: None,
        after: Callable[[bool], object] = lambda sent: None,
    ) -> None:
        """Start the thread.

        Args:
            run: the run.
            before: called once by the thread, before it waits for the first request.
            after: called by the thread after each upload, with whether it succeeded.
        """
        self._run = run
        self._before, self._after = before, after
        self._newest: int | None = None
        self._sent = True
        self._reported = False
        self._requested = threading.Event()
        self._closing = threading.Event()
        # A daemon, so that a server that never answers cannot keep the process alive.
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def request(self, covered: int) -> None:
        """Request an upload of the journal up to byte ``covered``, without waiting; only the last counts."""
        self._newest = covered
        self._requested.set()

    def close(self) -> bool:
        """Send the rest and the present status; return whether everything was sent."""
        self.stop(None)
        return self._sent

    def stop(self, timeout_s: float | None) -> None:
        """Send what was requested, for at most ``timeout_s`` seconds; None waits for its end."""
        self._closing.set()
        self._requested.set()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        try:
            self._before()
        except Exception as problem:
            print_notice(f"earlier runs are sent another time ({reason_of(problem)})")
        self._requested.wait()
        if self._newest is None:  # closed without a request: there is nothing to record
            return
        try:
            with sending(self._run, wait_s=-1):
                while not self._closing.is_set():
                    self._requested.clear()
                    self._attempt()
                    self._closing.wait(PAUSE_S)
                    self._requested.wait()
                self._attempt()
        except OSError as problem:  # the lock cannot be made: a full disk
            self._fail(problem)

    def _attempt(self) -> None:
        """Send once; no failure ends the thread."""
        try:
            with _ONE_AT_A_TIME:
                finished = self._run.status()["status"] == "finished"
                send(self._run, None if finished else self._newest)
            self._sent = True
        except Exception as problem:
            self._fail(problem)
        self._after(self._sent)

    def _fail(self, problem: Exception) -> None:
        self._sent = False
        if not self._reported:
            kept = f"the training continues, and its record in {self._run.path} is sent later"
            print_notice(f"{reason_of(problem)}; {kept}")
        self._reported = True
