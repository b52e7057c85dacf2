"""Training of run folders in a child process: `python -m pipeline.training RUN...`.

The process ends when its standard input is closed, so it does not outlive the process that started it. With
`--ranks` it is one of several that `torchrun` or `pipeline.training.processes.ranked` has started.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from pipeline.errors import UserError, one_line
from pipeline.training.ranks.group import joined
from pipeline.training.tracked import train_here, train_together_here


def main(runs: list[str], as_rank: bool = False) -> None:
    """Train the run; a user's error is one line on standard error, with the command line's exit code.

    Args:
        runs: one run, or several that are trained together.
        as_rank: whether this is one of several processes that train one run.
    """
    try:
        if as_rank:
            with joined() as ranks:
                train_here(Path(runs[0]), ranks)
            return
        threading.Thread(target=_stop_with_parent, daemon=True).start()
        if len(runs) == 1:
            train_here(Path(runs[0]))
        else:
            train_together_here([Path(run) for run in runs])
    except UserError as problem:
        _fail(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        if as_rank:  # the process that started the ranks reports it
            sys.exit(130)
        _fail("stopped; run the same command again to resume", 130)
    except OSError as problem:
        _fail(f"{problem.filename or runs[0]}: {problem.strerror or problem}", 1)


def _stop_with_parent() -> None:
    while os.read(0, 1):  # returns nothing when the other end of the pipe closes
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _fail(message: str, code: int) -> None:
    print(f"wavecast: {one_line(message)}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main([each for each in sys.argv[1:] if each != "--ranks"], as_rank="--ranks" in sys.argv)
