"""A real Prefect server and worker: the deployment in prefect.yaml runs as scheduled, MLflow run and all."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import PROJECT_ROOT
from tests.flows.test_pipeline import TINY
from tests.helpers.sounds import write_noisy_tones

STEPS = (
    ("work-pool", "create", "--type", "process", "wavecast"),
    ("deploy", "--all"),
    ("worker", "start", "--pool", "wavecast"),
)
"""What the README tells to type once a server runs."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


def until(what: str, seconds: float, ready: Any) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := ready():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(1)
    pytest.fail(f"{what} did not happen within {seconds:.0f} s")


@pytest.mark.slow
def test_the_nightly_deployment_runs_on_schedule(tmp_path: Path) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=10, seconds=0.4, sample_rate=8000)
    api = f"http://127.0.0.1:{free_port()}/api"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "WAVECAST_DATA": str(tmp_path / "data"),
    }

    def prefect(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            env=environment,
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    settings = ["name=nightly", f"corpus.inputs=[{corpus}]", *TINY]
    from pipeline.config.loading import load_config

    config = load_config(None, settings).model_dump(mode="json")
    port = api.split(":")[2].split("/")[0]
    server = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    worker = [sys.executable, "-m", "prefect", *STEPS[2]]
    with background(server, environment, tmp_path / "server.log"):
        until("the server's start", 120, lambda: httpx.get(f"{api}/health").status_code == 200)
        prefect(*STEPS[0])
        prefect(*STEPS[1])
        deployed = httpx.get(f"{api}/deployments/name/wavecast/nightly").json()
        assert deployed["schedules"][0]["schedule"]["cron"] == "0 2 * * *"
        assert "CorpusConfig" in json.dumps(deployed["parameter_openapi_schema"])
        bad = httpx.post(
            f"{api}/deployments/{deployed['id']}/create_flow_run",
            json={"parameters": {"config": {"train": {"epochs": "many"}}}},
        )
        assert bad.status_code >= 400
        prefect(
            *("deployment", "run", "wavecast/nightly", "--start-in", "3 seconds"),
            *("--params", json.dumps({"config": config})),
        )
        with background(worker, environment, tmp_path / "worker.log"):

            def finished() -> dict[str, Any] | None:
                query = {"deployments": {"id": {"any_": [deployed["id"]]}}}
                runs = httpx.post(f"{api}/flow_runs/filter", json=query).json()
                ended = [
                    r for r in runs if r["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
                ]
                return ended[0] if ended else None

            run = until("the scheduled run", 240, finished)
    assert run["state_type"] == "COMPLETED", (tmp_path / "worker.log").read_text()
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/data/mlflow/mlflow.db")
    (tracked,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert tracked.info.status == "FINISHED"
    assert "test_bits_per_sample" in tracked.data.metrics
    assert client.get_model_version_by_alias("wavecast", "champion").run_id == tracked.info.run_id
