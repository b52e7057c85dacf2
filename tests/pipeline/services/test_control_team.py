"""A comparison by services on PostgreSQL and S3: all that MLflow's pages show of it is really there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psycopg
import pytest

from pipeline.registry.logged_model import MODEL_TAG
from pipeline.services.health import ask
from tests.helpers.clusters.postgresql import FOUND, postgresql
from tests.helpers.clusters.services import OTHER_SERVERS, call_wavecast, until
from tests.helpers.contests import SMALL, write_voices
from tests.helpers.servers.s3 import BUCKET, s3_server
from tests.helpers.tracked_runs import free_port

if TYPE_CHECKING:
    from mlflow import MlflowClient

VARIANTS = "variants={gru: {}, tanh: {model.cell: tanh}}"
SETTINGS = (*SMALL, "name=team", "train.epochs=4", "train.learning_rate=1e-2", "samples.count=0", VARIANTS)
NIGHT_SECONDS = 600
UNFINISHED = ("SCHEDULED", "PENDING", "RUNNING")


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, own_data_dir: Path) -> Iterator[str]:
    """The address of an empty database; the environment leads to an S3 server."""
    if not FOUND:
        pytest.skip("PostgreSQL is not installed")
    for name in OTHER_SERVERS:
        monkeypatch.delenv(name, raising=False)
    with s3_server(monkeypatch), postgresql() as server:
        with psycopg.connect(f"postgresql://admin@{server.place}/postgres", autocommit=True) as admin:
            admin.execute("create database wavecast")
        yield f"postgresql://admin@{server.place}/wavecast"
        call_wavecast("down")


@pytest.mark.slow
def test_a_comparison_is_whole_on_postgresql_and_s3(address: str, tmp_path: Path, own_data_dir: Path) -> None:
    from mlflow import MlflowClient

    mlflow, prefect = free_port(), free_port()
    ports = ["--mlflow-port", str(mlflow), "--prefect-port", str(prefect), "--cron", "0 0 1 1 *"]
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    voices = write_voices(tmp_path / "voices")
    stores = ["--database", address, "--artifacts", f"s3://{BUCKET}/wavecast"]
    call_wavecast("up", str(voices), "--config", "base", *ports, *stores, *settings)
    run_a_night(f"http://127.0.0.1:{prefect}/api")

    client = MlflowClient(f"http://127.0.0.1:{mlflow}")
    runs = {
        each.info.run_name: each
        for experiment in client.search_experiments()
        for each in client.search_runs([experiment.experiment_id])
    }
    assert len(runs) == 3
    (parent,) = [each for each in runs.values() if "wavecast.comparison" in each.data.tags]
    children = [each for each in runs.values() if each is not parent]
    assert {each.data.tags["mlflow.parentRunId"] for each in children} == {parent.info.run_id}
    assert "2 variants on the test split" in parent.data.tags["mlflow.note.content"]
    best = min(each.data.metrics["bits_per_sample/test"] for each in children)
    assert parent.data.metrics["bits_per_sample/test"] == best
    assert {"comparison.csv", "learning_curves.png", "summary.json"} <= names(client, parent.info.run_id)

    for child in children:
        used = {each.tags[0].value: each.dataset for each in child.inputs.dataset_inputs}
        assert set(used) == {"training", "validation", "testing"}
        assert json.loads(used["validation"].profile)["recordings"] > 0
        assert child.info.status == "FINISHED"
        assert {"report.html", "evaluation.json", "pictures"} <= names(client, child.info.run_id)
    versions = client.search_model_versions("name='wavecast-team'")
    assert {each.run_id for each in versions} == {each.info.run_id for each in children}
    champion = client.get_model_version_by_alias("wavecast-team", "champion")
    models = client.search_logged_models([parent.info.experiment_id])
    assert {model.model_id for model in models} == {each.tags[MODEL_TAG] for each in versions}
    assert all(model.status == "READY" for model in models)
    bits = client.get_run(champion.run_id).data.metrics["bits_per_sample/test"]
    attached = client.get_logged_model(champion.tags[MODEL_TAG]).metrics
    assert [each.value for each in attached if each.key == "bits_per_sample/test"] == [bits]
    assert champion.tags["bits_per_sample/test"] == f"{bits:.4f}"
    assert "### Decision" in champion.description
    assert "it is the first: " in champion.description
    assert json.loads(champion.tags["wavecast.promotion.figures"])["groups"] > 0

    kept = stored()
    assert any(name.endswith("/learning_curves.png") for name in kept)
    assert any(name.endswith("/model.safetensors") for name in kept)
    assert not (own_data_dir / "mlflow" / "artifacts").exists()
    output = tmp_path / "next.wav"
    call_wavecast("predict", str(voices / "voice-0.wav"), "--seconds", "0.1", "--output", str(output))
    assert output.stat().st_size > 1_000


def run_a_night(api: str) -> None:
    """Start the deployed run, and wait until it has completed."""
    deployment = ask(f"{api}/deployments/name/wavecast/nightly")["id"]
    run = ask(f"{api}/deployments/{deployment}/create_flow_run", {})["id"]

    def ended() -> str | None:
        state = ask(f"{api}/flow_runs/{run}")["state"]
        return f"{state['type']}: {state['message']}" if state["type"] not in UNFINISHED else None

    assert until("the end of the night", NIGHT_SECONDS, ended).startswith("COMPLETED")


def names(client: "MlflowClient", run_id: str) -> set[str]:
    """The artifacts of a run."""
    return {file.path for file in client.list_artifacts(run_id)}


def stored() -> list[str]:
    """The names of the objects in the bucket."""
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [each["Key"] for page in pages for each in page.get("Contents", [])]
