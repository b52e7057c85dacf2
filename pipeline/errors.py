"""Exceptions for errors that a user can correct, and their form in one line."""

import functools
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

_UNPRINTABLE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]"
)


class UserError(Exception):
    """A mistake that the user can correct: one line with the place, the cause and the remedy.

    The command line prints it on standard error and exits with ``exit_code``: 1 for what was found in
    files or servers, 2 for a wrong argument or configuration.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class TrainingInterrupted(UserError):
    """A training process was ended from outside; the same call resumes it."""


class TrainingDiverged(UserError):
    """The loss of a training stays non-finite, as it would if the training was repeated."""


class VariantsFailed(UserError):
    """Some variants of a run failed; the others are trained, compared and reported in ``summary``."""

    def __init__(self, message: str, summary: Path) -> None:
        super().__init__(message)
        self.summary = summary


def reason_of(problem: BaseException) -> str:
    """Return the message of an exception in one line, with its type if it is no user's mistake."""
    message = " ".join(str(problem).split())
    if isinstance(problem, UserError | OSError):
        return message
    return f"{type(problem).__name__}: {message}" if message else type(problem).__name__


def raise_failures(failures: Mapping[str, Exception], summary: Path) -> None:
    """Raise one sentence that names the failed variants of a run, if there are any.

    Args:
        failures: the exception of each failed variant.
        summary: the summary of the other variants.

    Raises:
        VariantsFailed: variants failed.
    """
    if failures:
        named = "; ".join(f"variant {name} failed ({reason_of(x)})" for name, x in failures.items())
        raise VariantsFailed(f"{named}; the other variants are finished, see {summary}", summary)


@contextmanager
def noting_failure(variant: str, failures: dict[str, Exception], count: int) -> Iterator[None]:
    """Note and report an exception of one variant of a run, so that the others go on.

    Args:
        variant: its name.
        failures: receives the exception.
        count: number of variants; the exception of the last one that is left is raised.
    """
    try:
        yield
    except Exception as problem:
        failures[variant] = problem
        if len(failures) == count:
            raise
        if not isinstance(problem, UserError | OSError):
            traceback.print_exception(problem)
        print_notice(f"variant {variant} failed: {reason_of(problem)}")


RejectionCode = Literal[
    "not-a-file",
    "empty",
    "missing",
    "not-fetched",
    "unreadable",
    "sample-rate",
    "channels",
    "no-samples",
    "damaged",
    "cut-short",
    "several-streams",
    "no-decoder",
    "not-sound",
    "stalled",
    "too-long",
    "too-short",
    "not-finite",
    "not-amplitudes",
    "no-likelihood",
    "not-notes",
    "no-notes",
    "midi-kind",
    "sequence-name",
    "not-compressed",
    "newer-format",
    "changed",
    "crashed",
    "other-model",
    "other-arithmetic",
    "no-integers",
    "not-restored",
    "manifest",
    "outside",
]
"""Why a recording is rejected, for programs; the message is for people and may be reworded."""


class RecordingRejected(UserError):
    """One recording cannot be used; in a corpus the manifest states the reason, and the others are used.

    Attributes:
        code: the kind of reason.
    """

    def __init__(self, code: RejectionCode, message: str) -> None:
        super().__init__(message)
        self.code = code

    def about(self, path: object) -> "RecordingRejected":
        """Return the same rejection with ``path`` before its reason."""
        return RecordingRejected(self.code, f"{path}: {self}")


def one_line(text: str) -> str:
    """Return ``text`` with line breaks and other control characters as escapes, for printing.

    A file's name may hold any of them; only the message must not.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


_receivers: list[tuple[Callable[[str], None], bool]] = []
"""What is called with notices, and whether they are printed as well."""


def printable(text: object) -> str:
    """Return ``text`` for a line of a command's output, with what could change the line as escapes.

    Escaped are control characters, line breaks and marks that change the direction of text. Other characters
    of file names are kept, also bytes that are no UTF-8, so that programs can read names from the output.

    >>> print(printable("a\\nb\\x1b[31m"), printable("\\u202egnp.wav"))
    a\\nb\\x1b[31m \\u202egnp.wav
    """
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def print_line(text: object, flush: bool = False) -> None:
    """Print one line of a command's result on standard output; see `printable`."""
    print(printable(text), flush=flush)


def print_notice(line: str) -> None:
    """Print one line about what was found or done, on standard error."""
    if all(printed for _, printed in _receivers):
        print(f"wavecast: {one_line(line)}", file=sys.stderr, flush=True)
    for receive, _ in tuple(_receivers):
        receive(one_line(line))


@functools.cache
def print_notice_once(message: str) -> None:
    """Print a notice as `print_notice` does, once in this process."""
    print_notice(message)


@contextmanager
def notices_to(receive: Callable[[str], None], printed: bool = True) -> Iterator[None]:
    """Call ``receive`` with each notice of this context, without its prefix.

    Args:
        receive: called with a line.
        printed: print the notices as well.
    """
    entry = receive, printed
    _receivers.append(entry)
    try:
        yield
    finally:
        _receivers.remove(entry)
