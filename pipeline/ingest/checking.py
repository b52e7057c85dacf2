"""Check of a file by decoding it in a child process, which a damaged file may crash or stall."""

import json
import math
import os
import select
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

SECONDS_AT_LEAST = 60.0
SECONDS_PER_MEGABYTE = 1.0
"""Time limit of the check of a file."""


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    Attributes:
        seconds: length of the file.
        reason: why it is rejected; empty for a good file.
        gain_db: prediction gain, infinite where it was not measured.
    """

    seconds: float = 0.0
    reason: str = ""
    gain_db: float = math.inf


class Checker:
    """A child process that checks one file after the other; it is replaced when it crashes or stalls.

    Args:
        notes: whether files of notes (MIDI) are expected instead of sound.
        seconds_at_least: the time limit of a small file.
        sample_rate: at which the prediction gain is measured; None does not measure it.
    """

    def __init__(
        self,
        notes: bool = False,
        seconds_at_least: float = SECONDS_AT_LEAST,
        sample_rate: int | None = None,
    ) -> None:
        self._notes, self._limit, self._sample_rate = notes, seconds_at_least, sample_rate
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Checker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check(self, path: Path, whole: bool = True) -> Checked:
        """Check one file.

        Args:
            path: the file.
            whole: decode all of it; else its header, where that states the length.
        """
        limit = self._limit + SECONDS_PER_MEGABYTE * path.stat().st_size / 1e6
        request = {
            "path": os.fsencode(path).hex(),
            "whole": whole,
            "notes": self._notes,
            "sample_rate": self._sample_rate,
        }
        try:
            return Checked(**self._ask(json.dumps(request).encode() + b"\n", limit))
        except TimeoutError:
            self.close()
            return Checked(reason=f"stalled: it was not decoded within {limit:.0f} s")
        except (OSError, EOFError):
            code = self._child.wait() if self._child else 0
            self.close()
            return Checked(reason=f"crashed: the process that decoded it ended with {code}")

    def close(self) -> None:
        """End the child process."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()

    def _ask(self, request: bytes, limit: float) -> dict[str, Any]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            command = [sys.executable, "-m", "pipeline.ingest.check_worker"]
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            self._answer(SECONDS_AT_LEAST)  # it is ready
        assert self._child.stdin is not None
        self._child.stdin.write(request)
        return dict(json.loads(self._answer(limit)))

    def _answer(self, limit: float) -> bytes:
        """Return the next line of the child; a line is short and is written at once."""
        assert self._child is not None
        assert self._child.stdout is not None
        if not select.select([self._child.stdout], [], [], limit)[0]:
            raise TimeoutError
        line = self._child.stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return line
