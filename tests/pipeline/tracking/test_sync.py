"""Synchronisation of runs with MLflow: nothing is lost, and a training never waits.

MLflow is the real one on SQLite; an unavailable server is a loopback port without a listener.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.registry.registration import list_models, register, set_alias
from pipeline.registry.registry import fetch_model
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import (
    Syncer,
    TrackingUnavailable,
    sending,
    store_uri,
    sync,
    sync_pending,
    try_sync,
)
from tests.helpers.tracked_runs import (
    LOSS,
    add_model,
    free_port,
    journal_points,
    mirrored,
    new_run,
    points,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("local_store")

# The background sender.


def test_requests_return_at_once_and_close_sends_the_rest(run: RunFolder) -> None:
    covered = run.journal_size()
    syncer = Syncer(run)
    began = time.monotonic()
    for _ in range(1_000):
        syncer.request(covered)
    assert time.monotonic() - began < 0.5
    run.append(60, {LOSS: 0.1})
    run.set_status("finished", summary={"best_epoch": 3})
    assert syncer.close()
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert mirrored(run).info.status == "FINISHED"
    assert mirrored(run).data.metrics["time/best_epoch"] == 3


def test_the_background_sender_stops_at_the_checkpoint(run: RunFolder) -> None:
    covered = run.journal_size()
    run.append(60, {LOSS: 0.1})
    syncer = Syncer(run)
    syncer.request(covered)
    assert syncer.close()
    assert [step for step, _, _ in points(run, LOSS)] == [20, 40]


def test_a_training_that_never_began_is_not_recorded(run: RunFolder) -> None:
    assert Syncer(run).close()
    assert not (run.path / "tracking.json").exists()


# An unavailable server


def test_an_unavailable_server_is_reported_once_and_nothing_is_lost(
    run: RunFolder, away: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = new_run("other")
    assert not try_sync(other)
    capfd.readouterr()
    began = time.monotonic()
    syncer = Syncer(run)
    syncer.request(run.journal_size())
    run.set_status("finished")
    assert not syncer.close()
    assert time.monotonic() - began < 15
    output = capfd.readouterr()
    assert output.out == ""
    (notice,) = output.err.splitlines()
    assert f"tracking server at {away} is unavailable (Connection refused)" in notice
    assert f"the training continues, and its record in {run.path} is sent later" in notice

    assert sync_pending(run.path.parent) == []
    assert len(capfd.readouterr().err.splitlines()) == 1

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert sync_pending(run.path.parent) == [run.path.name, other.path.name]
    first, second = capfd.readouterr().err.splitlines()
    assert run.path.name in first
    assert other.path.name in second
    client = connect(store_uri())
    client.delete_run(json.loads((other.path / "tracking.json").read_text())["run_id"])
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert mirrored(run).info.status == "FINISHED"
    assert sync_pending(run.path.parent) == []
    assert capfd.readouterr().err == ""


def test_sync_raises_and_try_sync_tells(run: RunFolder, away: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrackingUnavailable, match="is unavailable") as caught:
        sync(run)
    assert "\n" not in str(caught.value)
    assert not try_sync(run)
    assert len(capfd.readouterr().err.splitlines()) == 1
    add_model(run)
    with pytest.raises(TrackingUnavailable):
        register(run, "wavecast")


def test_passwords_are_not_printed(monkeypatch: pytest.MonkeyPatch, run: RunFolder, away: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", away.replace("//", "//me:secret@"))
    with pytest.raises(TrackingUnavailable) as caught:
        sync(run)
    assert "secret" not in str(caught.value)
    assert "secret" not in (run.path / "tracking.json").read_text()


def test_a_damaged_store_does_not_stop_a_training(run: RunFolder, local_store: Path) -> None:
    local_store.write_bytes(b"not a database")
    assert not try_sync(run)


@pytest.mark.slow
def test_a_server_that_starts_late_gets_everything(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    run = new_run("late", uri=uri)
    syncer = Syncer(run)
    syncer.request(run.journal_size())
    run.artifacts.mkdir()
    (run.artifacts / "a.txt").write_text("kept")
    add_model(run)
    assert not syncer.close()
    assert uri in capfd.readouterr().err
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "kept")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true"}
    server = subprocess.Popen(command, env=environment, cwd=tmp_path, start_new_session=True)
    try:
        wait_for(f"{uri}/health")
        assert sync_pending(run.path.parent) == [run.path.name]
        assert points(run, LOSS, uri) == journal_points(run, LOSS)
        assert mirrored(run, uri).info.status == "FINISHED"
        version = register(run, "wavecast")
        assert register(run, "wavecast") == version
        set_alias("wavecast", version, "champion", uri)
        folder = fetch_model(uri=uri)
        assert (folder / "config.json").read_bytes() == (run.model / "config.json").read_bytes()
        assert fetch_model(f"runs:/{mirrored(run, uri).info.run_id}/model", uri=uri).is_dir()
        with pytest.raises(UserError, match="no such model"):
            fetch_model("models:/wavecast@gone", uri=uri)
        assert [model["version"] for model in list_models(uri)] == [version]
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


# Sending later.


def test_an_interrupted_run_is_sent_as_far_as_its_training_vouched_for_it(
    run: RunFolder, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    covered = run.journal_size()
    assert not try_sync(run, covered)
    run.append(60, {LOSS: 0.5})
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert sync_pending(run.path.parent) == [run.path.name]
    assert [step for step, _, _ in points(run, LOSS)] == [20, 40]


def test_a_run_that_ended_unseen_is_sent(run: RunFolder) -> None:
    sync(run, run.journal_size())
    run.append(60, {LOSS: 0.5})
    run.set_status("finished")
    assert sync_pending(run.path.parent) == [run.path.name]
    assert points(run, LOSS) == journal_points(run, LOSS)


def test_a_run_that_another_process_has_is_left_to_it(run: RunFolder) -> None:
    sync(run)
    run.set_status("finished")
    with sending(run):
        assert sync_pending(run.path.parent) == []
    assert sync_pending(run.path.parent) == [run.path.name]


def test_looking_for_waiting_runs_does_not_import_mlflow(run: RunFolder) -> None:
    sync(run)
    code = "import sys; from pathlib import Path; from pipeline.tracking.sync import sync_pending; "
    code += "assert sync_pending(Path(sys.argv[1])) == []; assert not {'mlflow', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, str(run.path.parent)], check=True)


def test_damaged_notes_and_folders_are_no_obstacle(run: RunFolder) -> None:
    sync(run)
    (run.path / "tracking.json").write_text("{")
    (run.path.parent / "foreign").mkdir()
    (run.path.parent / "foreign" / "tracking.json").write_text("[]")
    assert sync_pending(run.path.parent) == [run.path.name]
    assert points(run, LOSS) == journal_points(run, LOSS)
