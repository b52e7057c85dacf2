"""The deployments of prefect.yaml: the server plans them, and a planned run starts and ends by itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import PROJECT_ROOT
from tests.flows.test_pipeline import TINY
from tests.helpers.servers.planned_nights import assert_next_nights
from tests.helpers.sounds import write_noisy_tones

STEPS = (
    ("work-pool", "create", "--type", "process", "wavecast"),
    ("deploy", "--all"),
    ("worker", "start", "--pool", "wavecast"),
)
"""The commands that the README gives for a running server."""

ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    api = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "WAVECAST_DATA": str(tmp_path / "data"),
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with background(command, environment, tmp_path / "server.log"):
        until("the server's start", 120, lambda: httpx.get(f"{api}/health").status_code == 200)
        yield Server(api, environment, tmp_path)


def start_time(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["expected_start_time"])


def planned_by_a_schedule(run: dict[str, Any]) -> bool:
    return bool(run["auto_scheduled"]) and run["created_by"]["type"] == "SCHEDULE"


@pytest.mark.slow
def test_runs_from_the_command_line_send_heartbeats_before_they_are_taken_for_crashed() -> None:
    """Prefect's own interval is longer than the silence after which a run has crashed."""
    program = (
        "import flows.pipeline; from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY;"
        "from flows.deployments import SILENCE, crashed_without_heartbeat;"
        "related = crashed_without_heartbeat().trigger.match_related.root;"
        "print(PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value(), SILENCE.seconds, *related['prefect.resource.name'])"
    )
    environment = {**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    interval, silence, *flows = done.stdout.split()
    assert 3 * int(interval) < int(silence)
    assert flows == ["wavecast", "prepare"]


@pytest.mark.slow
def test_after_deploying_the_next_nights_are_planned_and_parameters_are_checked(server: Server) -> None:
    server.prefect(*STEPS[0])
    server.prefect(*STEPS[1])
    nightly = server.deployment("wavecast/nightly")
    runs = until("the planning", 90, lambda: server.runs(nightly))
    assert all(planned_by_a_schedule(run) and run["state_type"] == "SCHEDULED" for run in runs)
    assert_next_nights([start_time(run) for run in runs])
    assert not server.runs(server.deployment("prepare/prepare"))

    assert "CorpusConfig" in json.dumps(nightly["parameter_openapi_schema"])
    bad = httpx.post(
        f"{server.api}/deployments/{nightly['id']}/create_flow_run",
        json={"parameters": {"config": {"train": {"epochs": "many"}}}},
    )
    assert bad.is_client_error
    assert "epochs" in bad.text
    assert len(server.runs(nightly)) == len(runs)


def deployments_for(corpus: Path, start: datetime, folder: Path) -> Path:
    """Write prefect.yaml as a user edits it: their recordings, and a daily run at another time."""
    from pipeline.config.loading import load_config

    settings = load_config(None, ["name=nightly", f"corpus.inputs=[{corpus}]", *TINY])
    project = yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())
    (nightly,) = [x for x in project["deployments"] if x["name"] == "nightly"]
    nightly["parameters"]["config"] = settings.model_dump(mode="json")
    nightly["schedules"][0]["cron"] = f"{start.minute} {start.hour} * * *"
    edited = folder / "prefect.yaml"
    edited.write_text(yaml.safe_dump(project))
    return edited


@pytest.mark.slow
def test_a_run_that_the_server_planned_starts_by_itself_and_leaves_a_champion(server: Server) -> None:
    corpus = write_noisy_tones(server.folder / "tones", count=10, seconds=0.4, sample_rate=8000)
    server.prefect(*STEPS[0])
    server.prefect(*STEPS[1])
    soon = (datetime.now(UTC) + timedelta(minutes=2)).replace(second=0, microsecond=0)
    edited = deployments_for(corpus, soon, server.folder)
    server.prefect(*STEPS[1], "--prefect-file", str(edited))
    nightly = server.deployment("wavecast/nightly")

    def planned() -> dict[str, Any] | None:
        return next((run for run in server.runs(nightly) if start_time(run) == soon), None)

    run = until(f"the planning of the run of {soon:%H:%M}", 90, planned)
    assert planned_by_a_schedule(run)
    log = server.folder / "worker.log"
    worker = [sys.executable, "-m", "prefect", *STEPS[2]]
    with background(worker, server.environment, log):

        def ended() -> dict[str, Any] | None:
            return next((x for x in server.runs(nightly) if x["state_type"] in ENDED), None)

        finished = until("the end of the planned run", 360, ended)
    assert finished["id"] == run["id"], finished
    assert finished["state_type"] == "COMPLETED", log.read_text()
    assert datetime.fromisoformat(finished["start_time"]) >= soon
    assert_tracked_champion(server.folder / "data")


def assert_tracked_champion(data: Path) -> None:
    """Check that MLflow holds one finished run with its figures, and that its model is the champion."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{data}/mlflow/mlflow.db")
    (tracked,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert tracked.info.status == "FINISHED"
    assert "bits_per_sample/test" in tracked.data.metrics
    assert client.get_model_version_by_alias("wavecast-nightly", "champion").run_id == tracked.info.run_id


@pytest.mark.slow
def test_a_run_that_is_killed_between_its_submission_and_its_start_is_crashed(server: Server) -> None:
    """Neither worker nor run is there: as after a reboot at that moment."""
    server.prefect(*STEPS[0])
    server.prefect(*STEPS[1])
    program = (
        "from datetime import timedelta; from flows.deployments import crashed_before_start;"
        "crashed_before_start(timedelta(seconds=12)).create()"
    )
    subprocess.run([sys.executable, "-c", program], env=server.environment, cwd=PROJECT_ROOT, check=True)
    nightly = server.deployment("wavecast/nightly")
    path = f"{server.api}/deployments/{nightly['id']}/create_flow_run"
    run = httpx.post(path, json={"state": {"type": "SCHEDULED"}}).raise_for_status().json()
    for name in ("Pending", "Submitting"):
        state = {"state": {"type": "PENDING", "name": name}}
        httpx.post(f"{server.api}/flow_runs/{run['id']}/set_state", json=state).raise_for_status()

    def crashed() -> bool:
        found = httpx.get(f"{server.api}/flow_runs/{run['id']}").raise_for_status().json()
        return bool(found["state_type"] == "CRASHED" and "no sign of life" in found["state"]["message"])

    until("the crash", 150, crashed)
