"""The registry of models: one version a run, found by any of its names, or rejected in one line."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.registry.registration import champion, list_models, register, set_alias
from pipeline.registry.registry import fetch_model
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import ModelReference, find_in_sqlite
from pipeline.tracking.sync import TrackingUnavailable, store_uri
from tests.helpers.tracked_runs import add_model, mirrored, new_run

pytestmark = pytest.mark.usefixtures("local_store")


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


def test_the_stores_own_tables_are_read_as_this_mlflow_lays_them_out(
    run: RunFolder, local_store: Path
) -> None:
    """Otherwise every start would import MLflow and take seconds, and nobody would notice."""
    add_model(run)
    version = register(run, "wavecast")
    set_alias("wavecast", version, "champion")
    run_id = mirrored(run).info.run_id
    weights = (run.model / "model.safetensors").read_bytes()
    for text in ("models:/wavecast@champion", f"models:/wavecast/{version}", f"runs:/{run_id}/model"):
        found = find_in_sqlite(local_store, ModelReference.parse(text))
        assert found is not None, f"{text}: the tables are not those that find_in_sqlite reads"
        assert (found / "model.safetensors").read_bytes() == weights


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
    monkeypatch.setattr("pipeline.registry.registry.find_in_sqlite", lambda database, reference: None)
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
    code = "import sys; from pipeline.registry.registry import fetch_model; "
    code += "print(fetch_model()); assert not {'mlflow', 'torch'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (Path(done.stdout.strip()) / "config.json").read_bytes() == (
        run.model / "config.json"
    ).read_bytes()


@pytest.mark.parametrize(
    ("reference", "printed"),
    [
        ("", "no model has been trained yet"),
        ("models:/wavecast@gone", "no such model"),
        ("models:/wavecast/3", "no such model"),
        ("runs:/gone/model", "no such model"),
        ("runs:/../etc", "not a model"),
        ("models:/wavecast", "not a model"),
        ("models:/wave'cast@champion", "no such model; none is registered yet"),
        ("no/such/folder", "no such model"),
    ],
)
def test_unknown_models_are_one_line(reference: str, printed: str) -> None:
    with pytest.raises(UserError, match=printed) as caught:
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
def test_an_alias_that_mlflow_rejects_is_the_users_mistake(run: RunFolder, alias: str) -> None:
    add_model(run)
    version = register(run, "wavecast")
    with pytest.raises(UserError) as caught:
        set_alias("wavecast", version, alias)
    assert not isinstance(caught.value, TrackingUnavailable)


def test_nothing_is_written_to_the_working_directory(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    add_model(run)
    register(run, "wavecast")
    assert list(tmp_path.iterdir()) == []
