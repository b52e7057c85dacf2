"""Log records of flow runs: a user's mistake in one sentence, and notices and progress on the run's page.

On a terminal the command line prints notices and progress by itself, so they are sent to the page only.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import get_run_logger
from prefect.exceptions import MissingContextError, ParameterTypeError

from pipeline.errors import UserError, notices_to

LOGGERS = ("prefect.flows", "prefect.flow_runs", "prefect.task_runs", "prefect.engine")
MISTAKES = (UserError, ParameterTypeError)
ON_PAGE_ONLY = {"wavecast_page_only": True}


def keep_mistakes_short() -> None:
    """Log the mistakes of users without tracebacks, in this process and in those that a worker starts."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_one_line)


def _one_line(record: logging.LogRecord) -> bool:
    """Replace the traceback of a mistake by its message; leave out what repeats it with all parameters."""
    if str(record.msg).startswith("Parameter validation failed"):
        return False
    problem = record.exc_info[1] if record.exc_info else None
    if problem is None and isinstance(record.args, tuple):
        problem = next((x for x in record.args if isinstance(x, ParameterTypeError)), None)
    if isinstance(problem, MISTAKES):
        record.exc_info, record.msg, record.args = None, _sentence(str(problem)), ()
    return True


def _sentence(message: str) -> str:
    """Return a message as one line; Prefect lists wrong parameters in a line for each."""
    return " ".join(message.replace(":\n - ", ": ").replace("\n - ", "; ").split())


def log(text: str, page_only: bool | None = None) -> None:
    """Write one line to the log of the present run.

    Args:
        text: the line.
        page_only: whether to leave out the console; None leaves it out where it is a terminal.
    """
    hidden = sys.stderr.isatty() if page_only is None else page_only
    if hidden:
        for handler in logging.getLogger().handlers:  # the console's; Prefect makes it anew for each process
            handler.addFilter(_on_console)
    get_run_logger().info("%s", text, extra=ON_PAGE_ONLY if hidden else {})


def _on_console(record: logging.LogRecord) -> bool:
    return not getattr(record, "wavecast_page_only", False)


@contextmanager
def notices_on_page() -> Iterator[None]:
    """Write the notices of stages to the log of the present run, too."""

    def receive(line: str) -> None:
        try:
            log(line, page_only=True)
        except MissingContextError:  # from a thread of the stage, which has no run
            return

    with notices_to(receive):
        yield
