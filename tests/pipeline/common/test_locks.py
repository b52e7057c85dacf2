"""A lock that another process holds is waited for, and that is printed."""

import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.common.locks import announced_lock


def test_waiting_is_printed_and_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with announced_lock(tmp_path / "lock", "free"):
        pass
    assert capsys.readouterr().err == ""
    held = threading.Event()

    def hold() -> None:
        with FileLock(tmp_path / "lock"):
            held.set()
            time.sleep(0.5)

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    with announced_lock(tmp_path / "lock", "data is being prepared"):
        pass
    other.join()
    assert capsys.readouterr().err == "wavecast: waiting for another process: data is being prepared\n"
