"""Log records of flow runs: a user's mistake in one sentence, and notices and progress on the run's page.

On a terminal the command line prints notices and progress by itself, so they are sent to the page only.
"""

import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from prefect import get_run_logger
from prefect.exceptions import MissingContextError, ParameterTypeError
from prefect.runtime import flow_run
from prefect.states import Failed

from pipeline.errors import TrainingInterrupted, UserError, notices_to, one_line

LOGGERS = ("prefect.flows", "prefect.flow_runs", "prefect.task_runs", "prefect.engine")
MISTAKES = (UserError, ParameterTypeError)
ON_PAGE_ONLY = {"wavecast_page_only": True}
MISTAKE = {"wavecast_mistake": True}
Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")

_reported: dict[str, set[str]] = defaultdict(set)
"""Sentences on mistakes that the log of a flow run has, by the id of the flow run."""


def mistakes_in_a_sentence(function: Callable[Arguments, Value]) -> Callable[Arguments, Value]:
    """Return the function of a flow or task whose mistakes of users are states with one sentence.

    The sentence is logged once for each flow run, however many runs and states it passes through. Callers
    receive the exception as before. An interrupted training is raised, since Prefect tries it again.
    """

    @wraps(function)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Value:
        try:
            return function(*arguments, **named)
        except TrainingInterrupted:
            raise
        except UserError as problem:
            sentence = one_line(str(problem))
            known = _reported[str(flow_run.id)]
            if sentence not in known:
                known.add(sentence)
                get_run_logger().error("%s", sentence, extra=MISTAKE)
            return cast("Value", Failed(message=sentence, data=problem))

    return call


def keep_mistakes_short() -> None:
    """Log the mistakes of users without tracebacks, in this process and in those that a worker starts."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_one_line)


def _one_line(record: logging.LogRecord) -> bool:
    """Replace the traceback of a mistake by its message; leave out what repeats one."""
    if str(record.msg).startswith("Parameter validation failed"):
        return False
    known = _reported.get(str(getattr(record, "flow_run_id", "")), ())
    if known and not hasattr(record, "wavecast_mistake"):
        text = record.getMessage() + str(record.exc_info[1] if record.exc_info else "")
        if any(sentence in text for sentence in known):
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
    get_run_logger().info("%s", one_line(text), extra=ON_PAGE_ONLY if hidden else {})


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
