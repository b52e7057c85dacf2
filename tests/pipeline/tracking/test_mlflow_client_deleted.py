"""Runs are still recorded after their experiment was deleted in MLflow, and a notice names the new one."""

import pytest

from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import store_uri, sync
from tests.helpers.tracked_runs import mirrored, new_run


@pytest.mark.usefixtures("local_store")
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
