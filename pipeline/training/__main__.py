"""Training of one run folder in a child process: `python -m pipeline.training RUN`.

The process ends when its standard input is closed, so it does not outlive the process that started it.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from pipeline.errors import UserError, one_line
from pipeline.training.tracked import train_here


def main(run: str) -> None:
    """Train the run; a user's error is one line on standard error, with the command line's exit code."""
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        train_here(Path(run))
    except UserError as problem:
        _fail(str(problem), problem.exit_code)
    except KeyboardInterrupt:
        _fail("stopped; run the same command again to resume", 130)
    except OSError as problem:
        _fail(f"{problem.filename or run}: {problem.strerror or problem}", 1)


def _stop_with_parent() -> None:
    while os.read(0, 1):  # returns nothing when the other end of the pipe closes
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _fail(message: str, code: int) -> None:
    print(f"wavecast: {one_line(message)}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
