"""Many mutated files for one reader, in a child process with limits on its memory and on each file's time."""

import faulthandler
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from pipeline.errors import UserError

SEED = 13
MEMORY_BYTES = 1 << 30
"""Above what the process has at its start."""
TIME_S = 10.0
"""For one file."""


@dataclass
class Outcome:
    """What became of the files.

    Attributes:
        read, rejected: number of files that were read, and that ended with one sentence.
        failures: number and reason of each of the others.
        peak_bytes: memory that the worst file added.
        slowest_s: time that the slowest file took.
    """

    read: int = 0
    rejected: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    peak_bytes: int = 0
    slowest_s: float = 0.0

    @property
    def tried(self) -> int:
        return self.read + self.rejected + len(self.failures)


Attempt = Callable[[Random, Path], None]
"""Makes the file that a random generator draws, below a folder, and reads it."""


def survey(attempt: Attempt, folder: Path, count: int, seed: int = SEED) -> Outcome:
    """Try a number of files, each drawn from the seed and its number alone, so that it can be tried again."""
    outcome, first = Outcome(), 0
    context = multiprocessing.get_context("fork")
    while first < count:
        receiving, sending = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(attempt, folder, range(first, count), seed, sending))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # on threads, of which none holds a lock here
            child.start()
        sending.close()
        with suppress(EOFError):
            while True:
                number, text, peak, seconds = receiving.recv()
                outcome.peak_bytes = max(outcome.peak_bytes, peak)
                outcome.slowest_s = max(outcome.slowest_s, seconds)
                first = number + 1
                if text is None:
                    outcome.read += 1
                elif text == "":
                    outcome.rejected += 1
                else:
                    outcome.failures.append((number, text))
        child.join()
        if first < count:
            outcome.failures.append((first, f"ended the process ({child.exitcode}), or took too long"))
            first += 1
    return outcome


def _child(attempt: Attempt, folder: Path, numbers: range, seed: int, answers: Connection) -> None:
    limit = _memory_bytes() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    warnings.simplefilter("ignore")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        faulthandler.dump_traceback_later(TIME_S, exit=True)
        began = time.perf_counter()
        text = _tried(attempt, Random(f"{seed}/{number}"), folder)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        answers.send((number, text, peak, time.perf_counter() - began))
    faulthandler.cancel_dump_traceback_later()
    answers.close()


def _tried(attempt: Attempt, draw: Random, folder: Path) -> str | None:
    """None where a file is read, an empty text where it is rejected, else what is wrong."""
    try:
        attempt(draw, folder)
    except UserError as problem:
        text = str(problem)
        return f"not one sentence: {text!r}" if "\n" in text or not text or len(text) > 2_000 else ""
    except BaseException as problem:
        return f"{type(problem).__name__}: {problem}"[:300]
    return None


def _memory_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
