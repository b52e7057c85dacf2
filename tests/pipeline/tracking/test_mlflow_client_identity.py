"""Which MLflow run is that of a training: after deletions on either side, and of one name."""

import shutil
from pathlib import Path

import pytest

from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import store_uri, sync
from pipeline.tracking.sync_state import load_sent
from tests.helpers.tracked_runs import LOSS, mirrored, new_run

pytestmark = pytest.mark.usefixtures("local_store")


def test_runs_after_a_deletion_go_to_a_new_experiment(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(run)
    client, number = connect(store_uri()), mirrored(run).info.experiment_id
    client.delete_experiment(number)
    for name in ("second", "third"):
        sync(new_run(name))
    assert capsys.readouterr().err.count("'wavecast' was deleted in ") == 1
    found = client.get_experiment_by_name("wavecast-2")
    assert found is not None
    assert len(client.search_runs([found.experiment_id])) == 2
    assert client.get_experiment(number).lifecycle_stage == "deleted"


def test_a_training_anew_after_its_folder_was_deleted_is_a_run_of_its_own(run: RunFolder) -> None:
    sync(run)
    old = mirrored_id(run)
    shutil.rmtree(run.path)
    again = new_run("first")
    assert again.path == run.path
    sync(again)
    assert_one_curve_each(again, {old})


def test_the_same_settings_in_another_home_are_a_run_of_its_own(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri())
    sync(run)
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path))
    there = new_run("first")
    assert there.path.name == run.path.name
    sync(there)
    sync(run)
    assert_one_curve_each(there, {mirrored_id(run)})


def mirrored_id(run: RunFolder) -> str:
    return load_sent(run, store_uri()).run_id


def assert_one_curve_each(run: RunFolder, others: set[str]) -> None:
    """The run and each of the others have every point once, in runs of their own."""
    own = mirrored_id(run)
    assert own not in others
    for run_id in {own, *others}:
        steps = [point.step for point in connect(store_uri()).get_metric_history(run_id, LOSS)]
        assert sorted(steps) == [20, 40]
