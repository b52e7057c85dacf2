"""What mirroring runs to MLflow promises: nothing lost, nothing twice, and a training never waits.

MLflow is the real one on SQLite; a server that is away is a loopback port on which nobody listens.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import build_predictor, save_model
from pipeline.config import ModelConfig, RunConfig, SpectrogramConfig, TrackingConfig, WaveformConfig
from pipeline.errors import UserError
from pipeline.features import Normalisation
from pipeline.mlflow_mirror import connect
from pipeline.registry import champion, fetch_model, list_models, register, set_alias
from pipeline.run_folder import RunFolder, start_run
from pipeline.tracking import Syncer, TrackingAway, sending, store_uri, sync, sync_pending, try_sync
from pipeline.tracking_store import ModelReference, find_in_sqlite, sqlite_file

LONG_TEXT = "x" * 10_000


@pytest.fixture(scope="session")
def fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite store as MLflow makes it: copied for each test, since making one takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    connect(f"sqlite:///{folder}/mlflow.db")
    return folder / "mlflow.db"


@pytest.fixture(autouse=True)
def local_store(own_data_dir: Path, fresh_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The local store below the test's own data folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    database = own_data_dir / "mlflow" / "mlflow.db"
    database.parent.mkdir()
    shutil.copy(fresh_store, database)
    return database


@pytest.fixture
def run() -> RunFolder:
    """A training in progress, with two lines in its journal."""
    return new_run("first")


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that is away: the port is taken, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


def new_run(name: str, **tracking: Any) -> RunFolder:
    config = RunConfig(name=name, tracking=TrackingConfig(**tracking))
    run = start_run(config, Path("dataset.json"), "fingerprint", "gru")
    run.set_status("running", device="CPU, 2 threads", parameters={"all": 7})
    for step in (20, 40):
        run.append(step, {"train/nats_per_step": 10.0 / step, "train/learning_rate": 1e-3})
    return run


def add_model(run: RunFolder, kind: WaveformConfig | SpectrogramConfig | None = None) -> None:
    """Give a run an untrained model, and finish it."""
    kind = kind or WaveformConfig(sample_rate=2_000)
    model = ModelConfig(hidden_size=4, mixture_components=2)
    width = kind.n_mels if isinstance(kind, SpectrogramConfig) else 1
    normalisation = Normalisation((0.0,) * width, (1_000.0 if width == 1 else 1.0,) * width)
    weights = build_predictor(kind, model, normalisation).state_dict()
    save_model(run.model, weights, kind, model, normalisation, {})
    run.set_status("finished", summary={"test_bits_per_sample": 6.5})


def mirrored(run: RunFolder, uri: str | None = None) -> Any:
    """The MLflow runs of the experiment: there must be one, and this returns it."""
    client = connect(store_uri(uri))
    experiment = client.get_experiment_by_name(run.config().tracking.experiment)
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    return found


def points(run: RunFolder, key: str, uri: str | None = None) -> list[tuple[int, float, int]]:
    """The points of a curve as MLflow has them: step, value, time in ms."""
    history = connect(store_uri(uri)).get_metric_history(mirrored(run, uri).info.run_id, key)
    return sorted((point.step, point.value, point.timestamp) for point in history)


def journal_points(run: RunFolder, key: str) -> list[tuple[int, float, int]]:
    return [(line["step"], line["metrics"][key], line["time_ms"]) for line in run.lines()]


def artifact_names(run: RunFolder, folder: str = "") -> set[str]:
    client, run_id = connect(store_uri()), mirrored(run).info.run_id
    return {file.path for file in client.list_artifacts(run_id, folder or None)}


LOSS = "train/nats_per_step"


# A run is mirrored.


def test_everything_of_a_run_is_mirrored(run: RunFolder) -> None:
    (run.artifacts / "sounds").mkdir(parents=True)
    (run.artifacts / "evaluation.json").write_text("{}")
    (run.artifacts / "sounds" / "a.wav").write_bytes(b"RIFF")
    run.set_status("finished", summary={"test_bits_per_sample": 6.5, "comment": "good", "skipped": 0})
    sync(run)
    seen = mirrored(run)
    assert seen.info.run_name == run.path.name
    assert seen.info.status == "FINISHED"
    assert seen.info.start_time == run.description()["created_ms"]
    assert seen.data.params["model.cell"] == "gru"
    assert seen.data.params["data_fingerprint"] == "fingerprint"
    assert seen.data.tags["wavecast.variant"] == "gru"
    assert seen.data.tags["wavecast.device"] == "CPU, 2 threads"
    assert seen.data.tags["wavecast.parameters.all"] == "7"
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert [(step, value) for step, value, _ in points(run, "test_bits_per_sample")] == [(40, 6.5)]
    assert seen.data.metrics["skipped"] == 0
    assert artifact_names(run) == {"evaluation.json", "sounds"}
    assert artifact_names(run, "sounds") == {"sounds/a.wav"}


def test_statuses_follow_the_run(run: RunFolder) -> None:
    sync(run)
    assert mirrored(run).info.status == "RUNNING"
    run.set_status("failed", reason=LONG_TEXT)
    sync(run)
    assert mirrored(run).info.status == "FAILED"
    assert mirrored(run).data.tags["wavecast.reason"].startswith("xxx")
    run.set_status("running")
    sync(run)
    assert mirrored(run).info.status == "RUNNING"


def test_parameters_are_shortened_and_hold_no_address() -> None:
    uri = store_uri()
    run = start_run(
        RunConfig.model_validate({"corpus": {"inputs": [Path(LONG_TEXT)]}, "tracking": {"uri": uri}}),
        Path("dataset.json"),
        "fingerprint",
    )
    sync(run)
    parameters = mirrored(run).data.params
    assert 0 < len(parameters["corpus.inputs"]) <= 6_000
    assert uri not in str(parameters)


def test_values_that_are_no_numbers_arrive(run: RunFolder) -> None:
    run.append(60, {LOSS: float("nan")})
    run.append(80, {LOSS: float("inf")})
    sync(run)
    (run.path / "tracking.json").unlink()
    sync(run)
    values = [value for step, value, _ in points(run, LOSS) if step > 40]
    assert len(values) == 2
    assert np.isnan(values[0])
    assert values[1] > 1e300


# Nothing arrives twice.


def test_sent_twice_is_there_once(run: RunFolder) -> None:
    add_model(run)
    sync(run)
    before = mirrored(run)
    sync(run)
    assert mirrored(run).data.to_dictionary() == before.data.to_dictionary()
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert len(points(run, "test_bits_per_sample")) == 1


def test_only_new_lines_and_changed_files_are_sent(run: RunFolder) -> None:
    run.artifacts.mkdir()
    (run.artifacts / "a.txt").write_text("old")
    (run.artifacts / "b.txt").write_text("kept")
    sync(run)
    root = Path(mirrored(run).info.artifact_uri.removeprefix("file://"))
    (root / "b.txt").unlink()
    run.append(60, {LOSS: 0.1})
    (run.artifacts / "a.txt").write_text("changed")
    sync(run)
    assert [step for step, _, _ in points(run, LOSS)] == [20, 40, 60]
    assert (root / "a.txt").read_text() == "changed"
    assert not (root / "b.txt").exists()


def test_killed_between_making_the_run_and_noting_it(run: RunFolder) -> None:
    sync(run, 0)
    (run.path / "tracking.json").unlink()
    sync(run)
    assert points(run, LOSS) == journal_points(run, LOSS)


def test_killed_between_sending_and_noting_it(run: RunFolder) -> None:
    """More points than MLflow takes at once, and a note from before the last of them."""
    sync(run)
    note = (run.path / "tracking.json").read_bytes()
    for step in range(60, 1_300):
        run.append(step, {LOSS: 1.0 / step})
    sync(run)
    (run.path / "tracking.json").write_bytes(note)
    run.append(2_000, {LOSS: 0.0})
    sync(run)
    assert points(run, LOSS) == journal_points(run, LOSS)


@pytest.mark.slow
def test_killed_with_kill_minus_nine_while_sending(run: RunFolder) -> None:
    for step in range(60, 3_000):
        run.append(step, {LOSS: 1.0 / step})
    code = "import sys; from pathlib import Path; from pipeline.run_folder import RunFolder; "
    code += "from pipeline.tracking import sync; sync(RunFolder(Path(sys.argv[1])))"
    child = subprocess.Popen([sys.executable, "-c", code, str(run.path)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _arrived(run) == 0:
        time.sleep(0.005)
    child.kill()
    child.wait()
    assert _arrived(run) > 0
    sync(run)
    assert points(run, LOSS) == journal_points(run, LOSS)


def _arrived(run: RunFolder) -> int:
    """Points that are in the store, read past MLflow."""
    import sqlite3
    from contextlib import closing

    database = sqlite_file(store_uri())
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("select count(*) from metrics").fetchone()[0])


def test_a_summary_figure_is_a_point_again_only_when_it_changes(run: RunFolder) -> None:
    run.set_status("finished", summary={"figure": 2.0})
    sync(run)
    (run.path / "tracking.json").unlink()
    sync(run)
    run.set_status("finished")
    sync(run)
    assert [value for _, value, _ in points(run, "figure")] == [2.0]
    run.set_status("finished", summary={"figure": 1.0, "other": 3})
    sync(run)
    assert mirrored(run).data.metrics["figure"] == 1.0
    assert [value for _, value, _ in points(run, "other")] == [3.0]


# A training that is killed and goes on.


def test_lines_past_the_checkpoint_never_arrive(run: RunFolder) -> None:
    covered = run.journal_size()
    run.append(60, {LOSS: 0.5})
    sync(run, covered)
    run_id = mirrored(run).info.run_id
    assert [step for step, _, _ in points(run, LOSS)] == [20, 40]
    run.truncate_journal(covered)
    run.append(60, {LOSS: 0.25})
    run.append(80, {LOSS: 0.125})
    sync(run, run.journal_size())
    assert mirrored(run).info.run_id == run_id
    assert [(step, value) for step, value, _ in points(run, LOSS)] == [
        (20, 0.5),
        (40, 0.25),
        (60, 0.25),
        (80, 0.125),
    ]


def test_half_a_line_is_left_for_later(run: RunFolder) -> None:
    whole = run.journal.read_bytes()
    run.journal.write_bytes(whole[:-5])
    sync(run)
    assert [step for step, _, _ in points(run, LOSS)] == [20]
    run.journal.write_bytes(whole)
    sync(run)
    assert [step for step, _, _ in points(run, LOSS)] == [20, 40]


def test_a_training_begun_anew_replaces_the_old_curve(run: RunFolder) -> None:
    sync(run)
    run.truncate_journal(0)
    run.append(20, {LOSS: 3.0})
    sync(run)
    assert [(step, value) for step, value, _ in points(run, LOSS)] == [(20, 3.0)]


def test_a_run_deleted_in_mlflow_is_sent_anew(run: RunFolder) -> None:
    sync(run)
    connect(store_uri()).delete_run(mirrored(run).info.run_id)
    sync(run)
    assert points(run, LOSS) == journal_points(run, LOSS)


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
    assert mirrored(run).data.metrics["best_epoch"] == 3


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


# A server that is away.


def test_a_server_that_is_away_is_told_once_and_nothing_is_lost(
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
    assert f"tracking server at {away} is away (Connection refused)" in notice
    assert f"the run goes on and is kept in {run.path}, to be sent later" in notice

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


def test_a_server_that_never_answers_does_not_hold_a_training_up(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        syncer = Syncer(run)
        syncer.request(run.journal_size())
        began = time.monotonic()
        assert not syncer.close(timeout_s=0.5)
        assert time.monotonic() - began < 5
    assert "to be sent later" in capfd.readouterr().err
    assert json.loads((run.path / "tracking.json").read_text())["pending"]


def test_sync_raises_and_try_sync_tells(run: RunFolder, away: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrackingAway, match="is away") as caught:
        sync(run)
    assert "\n" not in str(caught.value)
    assert not try_sync(run)
    assert len(capfd.readouterr().err.splitlines()) == 1
    add_model(run)
    with pytest.raises(TrackingAway):
        register(run, "wavecast")


def test_passwords_are_not_told(monkeypatch: pytest.MonkeyPatch, run: RunFolder, away: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", away.replace("//", "//me:secret@"))
    with pytest.raises(TrackingAway) as caught:
        sync(run)
    assert "secret" not in str(caught.value)
    assert "secret" not in (run.path / "tracking.json").read_text()


def test_a_damaged_store_does_not_stop_a_training(run: RunFolder, local_store: Path) -> None:
    local_store.write_bytes(b"not a database")
    assert not try_sync(run)


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
    code = "import sys; from pathlib import Path; from pipeline.tracking import sync_pending; "
    code += "assert sync_pending(Path(sys.argv[1])) == []; assert not {'mlflow', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, str(run.path.parent)], check=True)


def test_damaged_notes_and_folders_are_no_obstacle(run: RunFolder) -> None:
    sync(run)
    (run.path / "tracking.json").write_text("{")
    (run.path.parent / "foreign").mkdir()
    (run.path.parent / "foreign" / "tracking.json").write_text("[]")
    assert sync_pending(run.path.parent) == [run.path.name]
    assert points(run, LOSS) == journal_points(run, LOSS)


# The registry.


def test_registering_twice_makes_one_version(run: RunFolder) -> None:
    add_model(run)
    assert register(run, "wavecast") == 1
    assert register(run, "wavecast") == 1
    (run.path / "tracking.json").unlink()
    assert register(run, "wavecast") == 1
    other = new_run("second")
    add_model(other)
    assert register(other, "wavecast") == 2
    set_alias("wavecast", 1, "champion")
    first = champion("wavecast")
    assert first is not None
    assert (first["version"], first["run_name"], first["aliases"]) == (1, run.path.name, ["champion"])
    set_alias("wavecast", 2, "champion")
    set_alias("wavecast", 2, "gru")
    newest, oldest = list_models()
    assert (newest["version"], newest["aliases"]) == (2, ["champion", "gru"])
    assert (oldest["version"], oldest["aliases"]) == (1, [])
    assert newest["metrics"]["test_bits_per_sample"] == 6.5
    assert newest["created"].startswith("20")


def test_a_model_is_fetched_by_any_of_its_names(
    run: RunFolder, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(run)
    version = register(run, "wavecast")
    set_alias("wavecast", version, "champion")
    run_id = mirrored(run).info.run_id
    references = [
        "",
        None,
        "models:/wavecast@champion",
        f"models:/wavecast/{version}",
        f"runs:/{run_id}/model",
    ]
    weights = (run.model / "model.safetensors").read_bytes()
    for reference in references:
        assert (fetch_model(reference) / "model.safetensors").read_bytes() == weights
    assert fetch_model(str(run.model)) == run.model
    with pytest.raises(UserError, match="no such model"):
        fetch_model(f"runs:/{run_id}/elsewhere")

    # Where the local store cannot be read directly, MLflow is asked, and the two files are kept.
    monkeypatch.setattr("pipeline.registry.find_in_sqlite", lambda database, reference: None)
    for reference in references:
        folder = fetch_model(reference)
        assert own_data_dir / "models-cache" in folder.parents
        assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
        assert (folder / "model.safetensors").read_bytes() == weights
        assert fetch_model(reference) == folder
    for reference in ("models:/wavecast@gone", "models:/wavecast/9", "models:/gone/1", "runs:/gone/model"):
        with pytest.raises(UserError, match="no such model"):
            fetch_model(reference)


def test_a_model_that_others_registered_is_fetched(run: RunFolder) -> None:
    add_model(run)
    client = connect(store_uri())
    client.create_registered_model("theirs")
    client.create_model_version("theirs", run.model.as_uri())
    assert (fetch_model("models:/theirs/1") / "config.json").is_file()
    client.create_model_version("theirs", run.path.as_uri())
    with pytest.raises(UserError, match="no such model"):
        fetch_model("models:/theirs/2")
    client.delete_model_version("theirs", "1")
    with pytest.raises(UserError, match="no such model"):
        fetch_model("models:/theirs/1")


def test_fetching_from_the_local_store_does_not_import_mlflow(run: RunFolder) -> None:
    add_model(run)
    set_alias("wavecast", register(run, "wavecast"), "champion")
    code = "import sys; from pipeline.registry import fetch_model; "
    code += "print(fetch_model()); assert not {'mlflow', 'torch'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (Path(done.stdout.strip()) / "config.json").read_bytes() == (
        run.model / "config.json"
    ).read_bytes()


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("", "no model has been trained yet"),
        ("models:/wavecast@gone", "no such model"),
        ("models:/wavecast/3", "no such model"),
        ("runs:/gone/model", "no such model"),
        ("runs:/../etc", "not a model"),
        ("models:/wavecast", "not a model"),
        ("models:/wave'cast@champion", "no model has been trained yet"),
        ("no/such/folder", "no such model"),
    ],
)
def test_unknown_models_are_one_line(reference: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        fetch_model(reference)
    assert "\n" not in str(caught.value)


def test_without_a_store_nothing_is_made(local_store: Path) -> None:
    shutil.rmtree(local_store.parent)
    assert list_models() == []
    assert champion("wavecast") is None
    with pytest.raises(UserError, match="no model has been trained yet"):
        fetch_model()
    assert not local_store.parent.exists()


def test_a_run_without_a_model_is_not_registered(run: RunFolder) -> None:
    with pytest.raises(UserError, match="no model yet"):
        register(run, "wavecast")


@pytest.mark.parametrize("alias", ["v1", "latest", "a.b"])
def test_an_alias_that_mlflow_refuses_is_the_users_mistake(run: RunFolder, alias: str) -> None:
    add_model(run)
    version = register(run, "wavecast")
    with pytest.raises(UserError) as caught:
        set_alias("wavecast", version, alias)
    assert not isinstance(caught.value, TrackingAway)


@pytest.mark.slow
def test_the_served_model_brings_its_code(run: RunFolder) -> None:
    """It works in a process that does not find wavecast's packages otherwise."""
    add_model(run)
    set_alias("wavecast", register(run, "wavecast"), "champion")
    code = """
import sys
sys.path = [p for p in sys.path if p not in ("", sys.argv[1])]
import mlflow.pyfunc, numpy as np
model = mlflow.pyfunc.load_model("models:/wavecast@champion")
heard = np.sin(np.arange(2 * 400, dtype=np.float32)).reshape(2, 400)
once, again = (model.predict(heard, params={"seconds": 0.1, "seed": 3}) for _ in range(2))
assert once.shape == (2, 200) and once.dtype == np.float32, once
assert (once == again).all() and abs(once).max() <= 1
import pipeline
print(pipeline.__file__)
"""
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store_uri(), "DO_NOT_TRACK": "true"}
    command = [sys.executable, "-c", code, root]
    done = subprocess.run(command, env=environment, cwd="/", check=True, capture_output=True, text=True)
    assert root not in done.stdout


def test_mlflow_serves_a_model_of_waveforms(run: RunFolder) -> None:
    add_model(run)
    set_alias("wavecast", register(run, "wavecast"), "champion")
    import mlflow.pyfunc

    mlflow.set_tracking_uri(store_uri())
    model = mlflow.pyfunc.load_model("models:/wavecast@champion")
    heard = np.sin(np.arange(400, dtype=np.float32))[None].repeat(2, axis=0)
    added = model.predict(heard, params={"seconds": 0.1, "seed": 3})
    assert added.shape == (2, 200)
    assert added.dtype == np.float32
    assert np.abs(added).max() <= 1
    assert np.array_equal(added[1:], model.predict(heard[1:], params={"seconds": 0.1, "seed": 4}))
    assert not np.array_equal(added[0], added[1])


def test_mlflow_serves_a_model_of_spectrograms(run: RunFolder) -> None:
    kind = SpectrogramConfig(
        kind="spectrogram", sample_rate=2_000, window_length=50, hop_length=20, n_fft=64, n_mels=8
    )
    add_model(run, kind)
    register(run, "frames")
    import mlflow.pyfunc

    mlflow.set_tracking_uri(store_uri())
    model = mlflow.pyfunc.load_model("models:/frames/1")
    heard = np.zeros((3, 30, 8), np.float32)
    added = model.predict(heard, params={"seconds": 0.2})
    assert added.shape == (3, 20, 8)
    assert not np.array_equal(added[0], added[1])
    with pytest.raises(mlflow.MlflowException):
        model.predict(np.zeros((3, 30, 7), np.float32))


# The store itself.


def test_the_store_in_use(own_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store_uri() == f"sqlite:///{own_data_dir}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://named:5000")
    assert store_uri() == "http://named:5000"
    assert store_uri("http://configured:5000") == "http://configured:5000"


def test_a_store_of_another_layout_is_left_to_mlflow(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_bytes(b"")
    assert find_in_sqlite(tmp_path / "other.db", ModelReference.parse("models:/wavecast@champion")) is None


def test_nothing_is_written_to_the_working_directory(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    add_model(run)
    register(run, "wavecast")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_several_processes_may_begin_with_an_empty_data_folder(local_store: Path) -> None:
    runs = [new_run(f"run{index}") for index in range(4)]
    shutil.rmtree(local_store.parent)
    code = "import sys; from pathlib import Path; from pipeline.run_folder import RunFolder; "
    code += "from pipeline.tracking import sync; sync(RunFolder(Path(sys.argv[1])))"
    children = [subprocess.Popen([sys.executable, "-c", code, str(run.path)]) for run in runs]
    assert [child.wait() for child in children] == [0] * 4
    client = connect(store_uri())
    (experiment,) = client.search_experiments(filter_string="name = 'wavecast'")
    assert len(client.search_runs([experiment.experiment_id])) == 4


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no answer from {url}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


@pytest.mark.slow
def test_the_user_interface_shows_the_local_store(run: RunFolder) -> None:
    sync(run)
    port = free_port()
    code = f"from pipeline.tracking import serve_ui; serve_ui(port={port})"
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
    from pipeline.tracking import serve_ui

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="try another --port"):
            serve_ui(port=taken.getsockname()[1])
