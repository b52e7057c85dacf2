"""A Prefect server in a process of its own, as people start one."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import PROJECT_ROOT


@dataclass(frozen=True)
class Server:
    """A Prefect server in a process of its own, with the environment of the terminals beside it."""

    api: str
    environment: dict[str, str]
    folder: Path

    def prefect(self, *arguments: str) -> None:
        """Run one `prefect` command from the project's folder to its end."""
        command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def deployment(self, name: str) -> dict[str, Any]:
        """Return the deployment called `FLOW/NAME`."""
        answer = httpx.get(f"{self.api}/deployments/name/{name}").raise_for_status()
        return dict(answer.json())

    def runs(self, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the flow runs of a deployment, the earliest first."""
        query = {
            "deployments": {"id": {"any_": [deployment["id"]]}},
            "sort": "EXPECTED_START_TIME_ASC",
        }
        return list(httpx.post(f"{self.api}/flow_runs/filter", json=query).raise_for_status().json())


@contextmanager
def background(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=PROJECT_ROOT, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def until(what: str, seconds: float, ready: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := ready():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(1)
    pytest.fail(f"{what} did not happen within {seconds:.0f} s")


@contextmanager
def prefect_server(folder: Path) -> Iterator[Server]:
    """Start a server whose database lies in ``folder``, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    api = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "WAVECAST_DATA": str(folder / "data"),
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with background(command, environment, folder / "server.log"):
        until("the server's start", 120, lambda: httpx.get(f"{api}/health").status_code == 200)
        yield Server(api, environment, folder)
