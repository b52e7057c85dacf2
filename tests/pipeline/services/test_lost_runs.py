"""Runs that were killed are ended by what the database of a real Prefect server says, and no others."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from pipeline.common.files import write_json
from pipeline.services.lost_runs import FLOWS, HEARTBEAT, LostRuns
from pipeline.services.orphans import RUN_ID, SETTLED
from pipeline.services.settings import POOL, services_dir
from tests.helpers.servers.prefect import prefect_server, until

pytestmark = pytest.mark.slow
SILENCE, START = timedelta(seconds=16), timedelta(seconds=40)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prefect_server(Path(tmp_path_factory.mktemp("prefect"))) as started:
        yield started.api


def run_in(api: str, state: str, flow: str = FLOWS[0]) -> str:
    """Return the id of a flow run in this state."""
    found = httpx.post(f"{api}/flows/", json={"name": flow}).raise_for_status().json()
    run = httpx.post(f"{api}/flow_runs/", json={"flow_id": found["id"]}).raise_for_status().json()
    forced = {"state": {"type": state}, "force": True}
    httpx.post(f"{api}/flow_runs/{run['id']}/set_state", json=forced).raise_for_status()
    return str(run["id"])


def beat(api: str, run: str) -> None:
    """Send a heartbeat as a flow run does, and wait until the server has written it."""
    event = {
        "id": str(uuid4()),
        "event": HEARTBEAT,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
    }
    httpx.post(f"{api}/events", json=[event]).raise_for_status()

    def written() -> bool:
        query = {"filter": {"id": {"id": [event["id"]]}}}
        return bool(httpx.post(f"{api}/events/filter", json=query).raise_for_status().json()["events"])

    until("the heartbeat", 30, written)


def state_of(api: str, run: str) -> dict[str, Any]:
    return dict(httpx.get(f"{api}/flow_runs/{run}").raise_for_status().json()["state"])


def look_for(lost: LostRuns, seconds: float, *beating: str) -> None:
    """Look as the service does for some time, in which runs send heartbeats."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for run in beating:
            beat(lost.api, run)
        lost.look(datetime.now(UTC))
        time.sleep(1)


def test_a_run_without_a_sign_of_life_is_crashed_and_others_go_on(api: str) -> None:
    lost = LostRuns(api, SILENCE, START)
    lost.look(datetime.now(UTC))
    running, alive, pending = run_in(api, "RUNNING"), run_in(api, "RUNNING"), run_in(api, "PENDING")
    done, other = run_in(api, "COMPLETED"), run_in(api, "RUNNING", "someone else's")
    look_for(lost, 10, alive)
    assert state_of(api, running)["type"] == "RUNNING"
    look_for(lost, 15, alive)
    assert state_of(api, running)["type"] == "CRASHED"
    assert "next run continues" in state_of(api, running)["message"]
    assert state_of(api, pending)["type"] == "PENDING"
    look_for(lost, 20, alive)
    assert state_of(api, pending)["type"] == "CRASHED"
    assert {state_of(api, each)["type"] for each in (alive, other)} == {"RUNNING"}
    assert state_of(api, done)["type"] == "COMPLETED"


def test_a_run_that_had_no_server_to_speak_to_is_given_its_time_anew(api: str) -> None:
    run = run_in(api, "RUNNING")
    lost = LostRuns(api, SILENCE, START)
    lost.look(datetime.now(UTC))
    time.sleep(SILENCE.total_seconds() + 2)  # as while the server is away
    look_for(lost, 8)
    assert state_of(api, run)["type"] == "RUNNING"
    look_for(lost, 15)
    assert state_of(api, run)["type"] == "CRASHED"


def test_a_run_that_lost_worker_and_process_before_its_start_is_crashed_at_once(
    api: str, own_data_dir: Path
) -> None:
    httpx.post(f"{api}/work_pools/", json={"name": POOL, "type": "process"}).raise_for_status()
    lost, starting = run_in(api, "PENDING"), run_in(api, "PENDING")
    state = {"services": {"worker": {"pid": os.getpid(), "started": time.time()}}}
    write_json(services_dir() / "state.json", state)
    later = datetime.now(UTC) + SETTLED
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(command, env={RUN_ID: starting}) as process:
        LostRuns(api).look(later)
        assert state_of(api, lost)["type"] == "PENDING", "it may be another machine's"
        LostRuns(api, one_machine=True).look(later)
        process.kill()
    assert "no process" in state_of(api, lost)["message"]
    assert state_of(api, starting)["type"] == "PENDING"


def test_flows_with_deployments_are_looked_at() -> None:
    from flows.pipeline import wavecast_pipeline
    from flows.prepare import prepare_corpus

    assert [wavecast_pipeline.name, prepare_corpus.name] == FLOWS
