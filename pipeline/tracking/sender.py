"""Sending of the runs of a training's process from another one: `python -m pipeline.tracking.sender RUN...`.

A tracking server can take neither the time nor the memory of the training. The sender reads the run folder,
and is killed where it takes too long: what has not arrived is sent another time.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import print_notice
from pipeline.tracking.comparison import send_pending
from pipeline.tracking.local_store import sqlite_file
from pipeline.tracking.mlflow_client import store_of
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import named
from pipeline.tracking.sync import Syncer

MEMORY_BYTES = 3 << 30
"""Most memory of a sender; MLflow itself takes about 0.5 GB."""
END = "end"
"""The last line of the input, when the training has ended; without it the training was killed."""
SENT, FAILED = b"+", b"-"
"""Output of the process where an upload succeeds or fails unlike the one before."""
LAST_PART_S = 60.0
"""Longest wait for the last part of each run at the end of its training, where uploads succeeded."""
FIRST_ANSWER_S = 20.0
"""Time after which a store without an answer is not waited for at the end of a training."""
AWAY_S = 2.0
"""Wait at the end of a training where the store is not available."""
SOURCE = Path(__file__).resolve().parents[2]
"""The folder that the package is imported from."""
KILLED_S = 10.0
"""Time of a sender whose training was killed, in seconds."""


class Sender:
    """The process that sends runs while they are trained. No failure of it stops a training."""

    def __init__(self, *runs: RunFolder) -> None:
        self._runs = runs
        self._requested_s: float | None = None
        self._outcomes = b""
        self._process = _start(runs)
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout

    def request(self, run: int, covered: int) -> None:
        """Request an upload of the journal of the run of this number up to a byte, without waiting."""
        if self._requested_s is None:
            self._requested_s = time.monotonic()
        self._write(f"{run} {covered}")

    def end(self, run: int) -> None:
        """Let the sender send the rest of one run, whose training has ended before those of the others."""
        self._write(f"{run} {END}")

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
                where = named(store_of(self._runs[0]))
                kept = f"the record of the run in {self._runs[0].path} is sent later"
                if len(self._runs) > 1:
                    kept = f"the records of {len(self._runs)} runs are sent later"
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
        if outcomes or sqlite_file(store_of(self._runs[0])):  # a file answers, if not always soon
            return LAST_PART_S * len(self._runs)
        return max(AWAY_S, FIRST_ANSWER_S - (time.monotonic() - self._requested_s))

    def _read_outcomes(self) -> bytes:
        self._outcomes += self._output.read() or b""
        return self._outcomes

    def _write(self, line: str) -> None:
        with suppress(OSError):  # it has ended, or does not read: the run is sent later
            self._input.write(f"{line}\n".encode())


@contextmanager
def background_sender(*runs: RunFolder) -> Iterator[Sender | None]:
    """Send runs while they are trained in this context.

    Args:
        runs: the runs. Their training continues too where no process can be started: the sender is then None.
    """
    try:
        sender = Sender(*runs)
    except OSError as problem:
        where = runs[0].path if len(runs) == 1 else f"{len(runs)} runs"
        print_notice(f"{where}: no process to send it can be started ({problem.strerror}); it is sent later")
        yield None
        return
    try:
        yield sender
    finally:
        sender.close()


def _start(runs: Sequence[RunFolder]) -> "subprocess.Popen[bytes]":
    """Start the process, with pipes that nobody waits at."""
    command = [sys.executable, "-m", "pipeline.tracking.sender", *(str(run.path) for run in runs)]
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "PYTHONPATH": path}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0, env=variables)
    for end in filter(None, (process.stdin, process.stdout)):
        os.set_blocking(end.fileno(), False)
    return process


def main(runs: Sequence[str]) -> int:
    """Send runs as lines on standard input request it; return the exit code, 0 if everything was sent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training ends on it, and then this process
    _limit_memory()
    folders = [RunFolder(Path(run)) for run in runs]
    outcome = _Outcomes().write
    first = folders[0].path

    def send_earlier() -> None:
        send_pending(first.parent.parent, [folder.path for folder in folders])

    syncers = [Syncer(folders[0], send_earlier, outcome)]
    syncers += [Syncer(folder, after=outcome) for folder in folders[1:]]
    for line in sys.stdin:
        if line.strip() == END:
            sent = [syncer.close() for syncer in syncers]
            return 0 if all(sent) else 1
        number, what = line.split()
        if what == END:
            syncers[int(number)].stop(0)  # without waiting
        else:
            syncers[int(number)].request(int(what))
    for syncer in syncers:
        syncer.stop(KILLED_S / len(syncers))
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
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # an upload that is still waiting for a server must not keep the process
