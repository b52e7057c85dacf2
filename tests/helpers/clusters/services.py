"""The command line in processes of its own, for tests that start the services."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

OTHER_SERVERS = "PREFECT_API_URL", "PREFECT_HOME", "MLFLOW_TRACKING_URI"
"""Variables that would lead a command to servers of the machine that runs the tests."""


def call_wavecast(*arguments: str) -> str:
    """Run a command to its end, and return its standard output; a failure fails the test."""
    command = [sys.executable, "-m", "pipeline.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(what: str, seconds: float, ready: Callable[[], Any]) -> Any:
    """Return the first result that is true; a test fails where there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(1)
    pytest.fail(f"{what} did not happen within {seconds:.0f} s")
