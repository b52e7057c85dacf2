"""The supervisor keeps processes running, in order, and ends all of them."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline.services.settings import services_dir
from pipeline.services.supervisor import Running
from pipeline.services.table import Service

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path))
    services_dir().mkdir(parents=True)


def until(ready: Callable[[], bool], each: Running, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        each.watch()
        time.sleep(0.02)


def test_a_killed_process_is_started_again() -> None:
    each = Running(Service("sleeper", SLEEP))
    until(lambda: each.ready, each)
    assert each.process is not None
    first = each.process.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: each.ready and each.process is not None and each.process.pid != first, each)
    assert each.restarts == 1
    each.stop()


@pytest.mark.slow
def test_one_that_ends_again_and_again_is_started_at_growing_intervals() -> None:
    each = Running(Service("broken", [sys.executable, "-S", "-c", "raise SystemExit('no such thing')"]))
    until(lambda: each.restarts == 1, each)
    began = time.monotonic()
    until(lambda: each.restarts == 2, each)
    assert time.monotonic() - began > 1.5
    assert "no such thing" in (services_dir() / "broken.log").read_text()
    each.stop()


def test_a_command_that_ends_well_is_ready_and_not_repeated() -> None:
    each = Running(Service("command", [sys.executable, "-S", "-c", "pass"], once=True))
    until(lambda: each.ready, each)
    for _ in range(5):
        each.watch()
    assert each.process is None
    assert each.restarts == 0


def test_stopping_ends_the_children_as_well() -> None:
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])"
    )
    each = Running(Service("parent", [sys.executable, "-S", "-c", code]))
    until(lambda: each.process is not None, each)
    assert each.process is not None
    parent = psutil.Process(each.process.pid)
    until(lambda: len(parent.children()) == 1, each)
    (child,) = parent.children()
    each.stop()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_what_a_killed_process_leaves_is_ended_before_the_next_start() -> None:
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])"
    )
    each = Running(Service("server", [sys.executable, "-S", "-c", code]))
    until(lambda: each.process is not None, each)
    assert each.process is not None
    parent = psutil.Process(each.process.pid)
    until(lambda: len(parent.children()) == 1, each)
    (child,) = parent.children()
    parent.kill()
    until(lambda: each.restarts == 1, each)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    each.stop()
