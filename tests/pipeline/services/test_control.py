"""`wavecast up` from nothing: servers, schedule, a run, killed processes, and the end of all of it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.errors import UserError
from pipeline.services.control import start, state, stop
from pipeline.services.settings import ServiceSettings
from tests.helpers.clusters.services import OTHER_SERVERS, call_wavecast, until
from tests.helpers.sounds import write_noisy_tones
from tests.helpers.tracked_runs import free_port

TINY = ("train.epochs=40", "model.hidden_size=8", "samples.count=0", "model.mixture_components=2")


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = ServiceSettings(
            str(tmp_path), mlflow_port=other.getsockname()[1], prefect_port=free_port()
        )
        with pytest.raises(UserError, match="--mlflow-port"):
            start(settings, lambda name: None)
    assert not state()
    assert not stop()


@pytest.fixture
def wavecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "home"))
    for name in OTHER_SERVERS:
        monkeypatch.delenv(name, raising=False)
    yield call_wavecast
    call_wavecast("down")


@pytest.mark.slow
def test_a_killed_run_crashes_and_the_next_one_continues(
    tmp_path: Path, wavecast: Callable[..., str]
) -> None:
    for speaker in range(8):
        write_noisy_tones(tmp_path / f"speech/speaker-{speaker}", 2, 1.0 + 0.1 * speaker, 16_000)
    ports = ["--mlflow-port", str(free_port()), "--prefect-port", str(free_port())]
    settings = [part for setting in TINY for part in ("--set", setting)]
    text = wavecast("up", str(tmp_path / "speech"), "--config", "base", *ports, *settings)
    assert "next run" in text
    assert "running already" in wavecast("up")

    def found() -> dict[str, Any]:
        return dict(json.loads(wavecast("status", "--json")))

    assert all(service["ready"] for service in found()["services"].values())
    api = f"{found()['addresses']['prefect']}/api"
    command = [sys.executable, "-m", "prefect", "deployment", "run", "wavecast/nightly"]
    environment = {**os.environ, "PREFECT_API_URL": api, "PREFECT_HOME": str(tmp_path / "home" / "prefect")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    checkpoint = until("a checkpoint", 120, lambda: list((tmp_path / "home" / "runs").glob("*/last.pt")))[0]

    # As when the machine loses its power: the worker and the run end at once, and neither can report it.
    worker = psutil.Process(found()["services"]["worker"]["pid"])
    for process in (worker, *worker.children(recursive=True)):
        os.kill(process.pid, signal.SIGKILL)
    until(
        "the crash", 300, lambda: any("heartbeat" in str(run["message"]) for run in found()["runs"]["failed"])
    )
    assert found()["services"]["worker"]["restarts"] == 1
    assert checkpoint.exists()

    subprocess.run(command, env=environment, check=True, capture_output=True)
    until("the champion", 240, lambda: found()["champions"])
    assert len(list((tmp_path / "home" / "runs").iterdir())) == 1
    pids = [service["pid"] for service in found()["services"].values() if service["pid"]]
    assert "stopped" in wavecast("down")
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
