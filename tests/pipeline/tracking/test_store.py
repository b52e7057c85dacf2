"""The local store: where it is, that it comes into being once, and what MLflow shows of it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import ModelReference, find_in_sqlite
from pipeline.tracking.sync import store_uri, sync
from tests.helpers.tracked_runs import free_port, mirrored, new_run, wait_for

pytestmark = pytest.mark.usefixtures("local_store")


def test_the_store_in_use(own_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store_uri() == f"sqlite:///{own_data_dir}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://named:5000")
    assert store_uri() == "http://named:5000"
    assert store_uri("http://configured:5000") == "http://configured:5000"


def test_a_store_of_another_layout_is_left_to_mlflow(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_bytes(b"")
    assert find_in_sqlite(tmp_path / "other.db", ModelReference.parse("models:/wavecast@champion")) is None


@pytest.mark.slow
def test_several_processes_may_begin_with_an_empty_data_folder(local_store: Path) -> None:
    runs = [new_run(f"run{index}") for index in range(4)]
    shutil.rmtree(local_store.parent)
    code = "import sys; from pathlib import Path; from pipeline.tracking.run_folder import RunFolder; "
    code += "from pipeline.tracking.sync import sync; sync(RunFolder(Path(sys.argv[1])))"
    children = [subprocess.Popen([sys.executable, "-c", code, str(run.path)]) for run in runs]
    assert [child.wait() for child in children] == [0] * 4
    client = connect(store_uri())
    (experiment,) = client.search_experiments(filter_string="name = 'wavecast'")
    assert len(client.search_runs([experiment.experiment_id])) == 4


@pytest.mark.slow
def test_the_user_interface_shows_the_local_store(run: RunFolder) -> None:
    sync(run)
    port = free_port()
    code = f"from pipeline.tracking.sync import serve_ui; serve_ui(port={port})"
    shown = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert shown.stdout is not None
        assert shown.stdout.readline().startswith(f"http://127.0.0.1:{port}")
        wait_for(f"http://127.0.0.1:{port}/health")
        body = json.dumps({"experiment_ids": [mirrored(run).info.experiment_id]}).encode()
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search",
            body,
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert run.path.name in answer.read().decode()
    finally:
        os.killpg(shown.pid, 15)
        shown.wait(30)


def test_a_taken_port_is_one_line() -> None:
    from pipeline.tracking.sync import serve_ui

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="try another --port"):
            serve_ui(port=taken.getsockname()[1])
