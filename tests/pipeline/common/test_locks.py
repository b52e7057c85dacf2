"""A lock that another process holds is waited for, and that is printed."""

import threading
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.common.locks import announced_lock


def test_waiting_is_printed_and_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with announced_lock(tmp_path / "lock", "free"):
        pass
    assert capsys.readouterr().err == ""
    held = FileLock(tmp_path / "lock", thread_local=False)
    held.acquire()
    timer = threading.Timer(0.3, held.release)
    timer.start()
    with announced_lock(tmp_path / "lock", "data is being prepared"):
        assert not held.is_locked
    timer.join()
    assert capsys.readouterr().err == "wavecast: waiting for another process: data is being prepared\n"
