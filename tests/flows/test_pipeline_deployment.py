"""The deployments of prefect.yaml: the server plans them, and a planned run starts and ends by itself."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import PROJECT_ROOT
from tests.flows.test_pipeline import TINY
from tests.helpers.servers.planned_nights import assert_next_nights
from tests.helpers.servers.prefect import Server, background, prefect_server, until
from tests.helpers.sounds import write_noisy_tones

STEPS = (
    ("work-pool", "create", "--type", "process", "wavecast"),
    ("deploy", "--all"),
    ("worker", "start", "--pool", "wavecast"),
)
"""The commands that the README gives for a running server."""

ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with prefect_server(tmp_path) as started:
        yield started


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
