"""Training of run folders in a child process, which can be killed without the process that started it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from pipeline.errors import TrainingInterrupted, UserError, print_notice
from pipeline.tracking.run_folder import RunFolder

POLL_SECONDS = 2.0
"""Time between two calls of the observer, in seconds."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def train_in_child(
    runs: Sequence[Path],
    observe: Callable[[], None] = lambda: None,
    threads: int | None = None,
    among_others: bool = False,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Train runs in a child process.

    Args:
        runs: one run folder, or several that are trained together. A failure of one of several is noted in
            its folder alone.
        observe: called every `POLL_SECONDS` while the child trains, and when it has ended. An exception that
            it raises ends the child.
        threads: number of processor threads of the child; None leaves the environment's.
        among_others: whether other children train at the same time. The lines that the child prints then
            begin with the name of the run, and an interrupt from the keyboard reaches this process only.
        environment: variables that the child has beside those of this process.

    Raises:
        UserError: the training failed; its own message is on standard error already.
        TrainingInterrupted: the child process was killed.
    """
    command = [sys.executable, "-m", "pipeline.training", *map(str, runs)]
    run = runs[0]
    name = run.name if len(runs) == 1 else f"{run.name} and {len(runs) - 1} more"
    variables = {**os.environ, **(environment or {})}
    if threads is not None:
        variables |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE if among_others else None,
        start_new_session=among_others,
        env=variables,
    ) as child:
        if child.stderr is not None:
            threading.Thread(target=_pass_on, args=(child.stderr, name), daemon=True).start()
        try:
            code = _exit_code(child, observe)
        except BaseException:
            child.terminate()
            raise
    if code < 0:
        by = signal.Signals(-code).name
        raise TrainingInterrupted(
            f"{run.with_name(name)}: training was ended by {by}; repeat the command to resume it"
        )
    if code:
        if len(runs) > 1:
            raise UserError(f"{run.with_name(name)}: training failed (its message is above)")
        reason = RunFolder(run).status().get("reason", "its message is above")
        raise UserError(f"{run}: training failed ({str(reason).removeprefix(f'{run}: ')})")


def _pass_on(lines: IO[bytes], name: str) -> None:
    """Print what a child prints on standard error, with the name of its run."""
    for line in lines:
        print_notice(f"{name}: {line.decode(errors='replace').rstrip().removeprefix('wavecast: ')}")


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
