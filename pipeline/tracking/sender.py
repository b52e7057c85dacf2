"""Sending of a training's run from a process of its own: `python -m pipeline.tracking.sender RUN`.

A tracking server can take neither the time nor the memory of the training. The sender reads the run folder,
and is killed where it takes too long: what has not arrived is sent another time.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import print_notice
from pipeline.tracking.comparison import send_pending
from pipeline.tracking.local_store import sqlite_file
from pipeline.tracking.mlflow_client import store_of
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import redacted_uri
from pipeline.tracking.sync import Syncer

MEMORY_BYTES = 3 << 30
"""Most memory of a sender; MLflow itself takes about 0.5 GB."""
END = "end"
"""The last line of the input, when the training has ended; without it the training was killed."""
SENT, FAILED = b"+", b"-"
"""Output of the process where an upload succeeds or fails unlike the one before."""
LAST_PART_S = 60.0
"""Longest wait for the last part of a run at the end of its training, where uploads succeeded."""
FIRST_ANSWER_S = 20.0
"""Time after which a store without an answer is not waited for at the end of a training."""
AWAY_S = 2.0
"""Wait at the end of a training where the store is not available."""
SOURCE = Path(__file__).resolve().parents[2]
"""The folder that the package is imported from."""
KILLED_S = 10.0
"""Time of a sender whose training was killed, in seconds."""


class Sender:
    """The process that sends a run while it is trained. No failure of it stops the training."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._requested_s: float | None = None
        self._outcomes = b""
        self._process = _start(run)
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout

    def request(self, covered: int) -> None:
        """Request an upload of the journal up to byte ``covered``, without waiting."""
        if self._requested_s is None:
            self._requested_s = time.monotonic()
        self._write(str(covered))

    def close(self) -> bool:
        """Let the sender send the rest and the present status; return whether everything was sent.

        Waits for a store that answers. What is not sent then is sent by `sync_pending` another time.
        """
        self._write(END)
        self._input.close()
        try:
            return self._process.wait(self._patience_s()) == 0
        except subprocess.TimeoutExpired:
            if self._requested_s is not None and not self._read_outcomes().endswith(FAILED):
                where = f"tracking server at {redacted_uri(store_of(self._run))}"
                kept = f"the record of the run in {self._run.path} is sent later"
                print_notice(f"{where} is unavailable (no answer in time); {kept}")
            return False  # a failure was reported when it happened
        finally:
            self._process.kill()
            self._process.wait()
            self._output.close()

    def _patience_s(self) -> float:
        """Return the longest time to wait for the sender's end, by what its uploads came to so far."""
        outcomes = self._read_outcomes()
        if outcomes.endswith(FAILED) or self._requested_s is None:
            return AWAY_S
        if outcomes or sqlite_file(store_of(self._run)):  # a file answers, if not always soon
            return LAST_PART_S
        return max(AWAY_S, FIRST_ANSWER_S - (time.monotonic() - self._requested_s))

    def _read_outcomes(self) -> bytes:
        self._outcomes += self._output.read() or b""
        return self._outcomes

    def _write(self, line: str) -> None:
        with suppress(OSError):  # it has ended, or does not read: the run is sent later
            self._input.write(f"{line}\n".encode())


@contextmanager
def background_sender(run: RunFolder) -> Iterator[Callable[[int], None]]:
    """Send a run while it is trained in this context; yield the function that requests an upload.

    Args:
        run: the run. Its training continues too where no process can be started.
    """
    try:
        sender = Sender(run)
    except OSError as problem:
        print_notice(
            f"{run.path}: no process to send it can be started ({problem.strerror}); it is sent later"
        )
        yield lambda covered: None
        return
    try:
        yield sender.request
    finally:
        sender.close()


def _start(run: RunFolder) -> "subprocess.Popen[bytes]":
    """Start the process, with pipes that nobody waits at."""
    command = [sys.executable, "-m", "pipeline.tracking.sender", str(run.path)]
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "PYTHONPATH": path}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0, env=variables)
    for end in filter(None, (process.stdin, process.stdout)):
        os.set_blocking(end.fileno(), False)
    return process


def main(run: str) -> int:
    """Send a run as lines on standard input request it; return the exit code, 0 if everything was sent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training ends on it, and then this process
    _limit_memory()
    folder = RunFolder(Path(run))
    syncer = Syncer(folder, lambda: send_pending(folder.path.parent.parent, folder.path), _Outcomes().write)
    for line in sys.stdin:
        if line.strip() == END:
            return 0 if syncer.close() else 1
        syncer.request(int(line))
    syncer.stop(KILLED_S)
    return 1


class _Outcomes:
    """The output of the process: few bytes, since nobody reads it before the end of the training."""

    def __init__(self) -> None:
        self._last: bytes | None = None
        self._pipe = os.dup(1)
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 1)  # other output of libraries is no outcome

    def write(self, sent: bool) -> None:
        outcome = SENT if sent else FAILED
        if outcome != self._last:
            with suppress(OSError):  # the training was killed
                os.write(self._pipe, outcome)
        self._last = outcome


def _limit_memory() -> None:
    with suppress(ImportError, OSError, ValueError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stderr.flush()
    os._exit(code)  # an upload that is still waiting for a server must not keep the process
