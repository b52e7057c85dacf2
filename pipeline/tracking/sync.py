"""When runs are mirrored to MLflow. A run folder on disk is the record, MLflow is sent a copy of it.

Whatever is interrupted is simply sent again (see `pipeline.tracking.mlflow_client`), so a tracking server
that is away neither stops nor loses a training.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import UserError
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
"""How long to wait for another process that is sending the same run."""
PAUSE_S = 5.0
"""Shortest time between two sendings of a training that goes on: a reader of curves needs no more."""


@contextmanager
def sending(run: RunFolder, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold the run's lock: one process at a time sends it, and a training's holds it until it ends."""
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
            that may be resumed, which cuts off the lines after its last checkpoint.

    Raises `TrackingUnavailable` where that fails; everything is still in the folder, and `sync_pending`
    sends it.
    """
    with sending(run):
        send(run, covered)


def try_sync(run: RunFolder, covered: int | None = None) -> bool:
    """`sync`, but a failure is a line on standard error; returns whether everything was sent."""
    try:
        sync(run, covered)
    except UserError as problem:
        _say(f"{problem}; the run is kept in {run.path}, to be sent later")
        return False
    return True


def sync_pending(runs_dir: Path) -> list[str]:
    """Send what could not be sent of earlier runs in a folder of runs; returns the names of those sent.

    Where nothing waits it costs a look at a small file for each run. A run that another process is training
    or sending is left to it. An unavailable store is tried once and reported in one line.
    """
    sent: list[str] = []
    away: set[str] = set()
    for note in sorted(runs_dir.glob("*/tracking.json")):
        run, uri = RunFolder(note.parent), ""
        try:
            if has_pending(run) and (uri := redacted_uri(store_of(run))) not in away and _send_later(run):
                sent.append(run.path.name)
                _say(f"{run.path.name}: sent to the tracking server at {uri}")
        except UserError as problem:
            _say(f"{problem}; {run.path.name} is sent another time")
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
    """Sends a training's run in the background, so that the training never waits for a server.

    A failure is reported once on standard error; later requests try again.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._newest: int | None = None
        self._sent = True
        self._told = False
        self._requested = threading.Event()
        self._closing = threading.Event()
        # A daemon, so that a server that never answers cannot keep the process alive.
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def request(self, covered: int) -> None:
        """Have the journal sent up to byte ``covered``, soon; returns at once. Only the newest counts."""
        self._newest = covered
        self._requested.set()

    def close(self, timeout_s: float = 60.0) -> bool:
        """Send the rest and the status as it is now; returns whether everything was sent.

        Waits at most ``timeout_s``; what is not sent by then is sent by `sync_pending` another time.
        """
        self._closing.set()
        self._requested.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._tell(f"tracking server at {redacted_uri(store_of(self._run))} is away (no answer)")
            return False
        return self._sent

    def _work(self) -> None:
        self._requested.wait()
        if self._newest is None:  # closed without a request: there is nothing to record
            return
        with sending(self._run, wait_s=-1):
            while not self._closing.is_set():
                self._requested.clear()
                self._attempt()
                self._closing.wait(PAUSE_S)
                self._requested.wait()
            self._attempt()

    def _attempt(self) -> None:
        """Send once; whatever goes wrong, the training goes on."""
        try:
            finished = self._run.status()["status"] == "finished"
            send(self._run, None if finished else self._newest)
            self._sent = True
        except Exception as problem:
            self._sent = False
            self._tell(str(problem) or type(problem).__name__)

    def _tell(self, problem: str) -> None:
        if not self._told:
            _say(f"{problem}; the run goes on and is kept in {self._run.path}, to be sent later")
        self._told = True


def _say(line: str) -> None:
    print(f"wavecast: {line}", file=sys.stderr, flush=True)
