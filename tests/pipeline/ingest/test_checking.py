"""A file at which the decoder stalls or crashes costs only itself."""

import os
import signal
import threading
from pathlib import Path

from pipeline.ingest.checking import Checker
from tests.helpers.builders import tone, write_sound


def test_a_check_that_stalls_or_crashes_rejects_the_file_and_the_next_is_checked(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "good.wav", tone(8_000))
    with Checker(seconds_at_least=2.0) as checker:
        assert checker.check(path).seconds == 1.0
        stop(checker)
        assert checker.check(path).reason.startswith("stalled")
        assert checker.check(path).seconds == 1.0
        child = stop(checker)
        threading.Timer(0.2, os.kill, (child, signal.SIGKILL)).start()
        assert checker.check(path).reason == "crashed: the process that decoded it ended with -9"
        assert checker.check(path).seconds == 1.0


def stop(checker: Checker) -> int:
    """Stop the child process, as a decoder that never ends would; return its process number."""
    assert checker._child is not None
    os.kill(checker._child.pid, signal.SIGSTOP)
    return checker._child.pid
