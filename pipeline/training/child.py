"""Training of a run folder in a child process, which can be killed without the process that started it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import TrainingInterrupted, UserError
from pipeline.tracking.run_folder import RunFolder

POLL_SECONDS = 2.0
"""Time between two calls of the observer, in seconds."""


def train_in_child(run: Path, observe: Callable[[], None] = lambda: None) -> None:
    """Train a run in a child process.

    Args:
        run: the run folder.
        observe: called every `POLL_SECONDS` while the child trains, and when it has ended.

    Raises:
        UserError: the training failed; its own message is on standard error already.
        TrainingInterrupted: the child process was killed.
    """
    command = [sys.executable, "-m", "pipeline.training", str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        try:
            code = _exit_code(child, observe)
        except BaseException:
            child.terminate()
            raise
    if code < 0:
        name = signal.Signals(-code).name
        raise TrainingInterrupted(f"{run}: training was ended by {name}; repeat the command to resume it")
    if code:
        reason = RunFolder(run).status().get("reason", "its message is above")
        raise UserError(f"{run}: training failed ({str(reason).removeprefix(f'{run}: ')})")


def _exit_code(child: "subprocess.Popen[bytes]", observe: Callable[[], None]) -> int:
    """Wait for the end of a child process."""
    while True:
        try:
            code = child.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            observe()
            continue
        observe()
        return code
