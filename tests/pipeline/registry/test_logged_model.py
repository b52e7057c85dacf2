"""A registered run has one whole logged model, and its version states figures and decision."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.promotion.decision import Decision
from pipeline.promotion.record import note
from pipeline.registry.logged_model import MODEL_TAG, VERSIONS_TAG, logged_model
from pipeline.registry.registration import register
from pipeline.registry.registry import find_model
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import store_uri
from pipeline.tracking.sync import sync
from tests.helpers.tracked_runs import add_model, free_port, mirrored, new_run, points, wait_for


@pytest.mark.usefixtures("local_store")
def test_a_version_carries_its_figures_beside_the_decision(run: RunFolder) -> None:
    add_model(run)
    sync(run)
    time.sleep(0.01)
    run.set_status("finished", note="written again, as by the evaluation")
    assert register(run, "digits") == 1
    client, run_id = connect(store_uri()), mirrored(run).info.run_id
    (model,) = client.search_logged_models([mirrored(run).info.experiment_id])
    assert (model.status, model.source_run_id) == ("READY", run_id)
    assert model.params["model.cell"] == "gru"
    assert {metric.key: metric.value for metric in model.metrics} == {"bits_per_sample/test": 6.5}
    assert len(points(run, "test_bits_per_sample")) == 1, "the point is the run's own"
    assert logged_model(client, run, run_id).model_id == model.model_id, "there is no second one"
    files = {file.path for file in client.list_logged_model_artifacts(model.model_id)}
    assert {"MLmodel", "input_example.json", "artifacts", "code"} <= files

    version = client.get_model_version("digits", "1")
    assert version.tags[MODEL_TAG] == model.model_id
    assert json.loads(model.tags[VERSIONS_TAG]) == [{"name": "digits", "version": 1}]
    assert version.tags["bits_per_sample/test"] == "6.5000"
    assert "| bits per sample, test split | 6.500 |" in version.description
    assert f"/runs/{run_id})" in version.description
    assert "wavecast predict" in client.get_registered_model("digits").description

    note("digits", 1, "kept", Decision("margin", "the gain is below the margin"), 1)
    run.set_status("finished", summary={"test_bits_per_sample": 5.25})
    assert register(run, "digits") == 1
    described = client.get_model_version("digits", "1").description
    assert "the gain is below the margin" in described
    assert "| bits per sample, test split | 5.250 |" in described
    assert "6.500" not in described


@pytest.mark.slow
def test_a_server_accepts_the_version_and_gives_the_model_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    environment = {**os.environ, "DO_NOT_TRACK": "true"}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with subprocess.Popen(command, env=environment, cwd=tmp_path, start_new_session=True) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            run = new_run("voice")
            add_model(run)
            assert [register(run, "digits") for _ in range(2)] == [1, 1]
            found = find_model("digits/1").folder / "model.safetensors"
            assert found.read_bytes() == (run.model / "model.safetensors").read_bytes()
        finally:
            os.killpg(server.pid, 15)
