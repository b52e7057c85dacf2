"""An experiment that was deleted in MLflow is named, with what to do; the server is not away."""

import pytest

from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import TrackingUnavailable, store_uri, sync
from tests.helpers.tracked_runs import mirrored, new_run


@pytest.mark.usefixtures("local_store")
def test_a_deleted_experiment_is_named(run: RunFolder) -> None:
    sync(run)
    client, number = connect(store_uri()), mirrored(run).info.experiment_id
    client.delete_experiment(number)
    with pytest.raises(
        TrackingUnavailable, match=f"'wavecast' was deleted .* `mlflow experiments restore -x {number}"
    ):
        sync(new_run("second"))
    client.restore_experiment(number)
    sync(new_run("second"))
