"""A trained model as MLflow's logged model, with signature, example, parameters and figures.

Its files are uploaded twice: as the logged model, and as `model` among the artifacts of the run, which
`runs:/ID/model` and registered versions lead to. MLflow's client finds the files of a logged model only in
the store that is set for the whole process, which wavecast leaves to its caller.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.tracking.mlflow_client import artifact_repository
from pipeline.tracking.pages.run_page import run_name
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync_state import numbers, parameters

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

ARTIFACT = "model"
"""Name of the model among the artifacts of its run."""
MODEL_TAG = "wavecast.logged_model"
"""Tag of a version: MLflow's id of its logged model."""
VERSIONS_TAG = "mlflow.modelVersions"
"""MLflow's tag of a logged model: the versions that were made of it."""
MODEL_TYPE = "audio predictor"


def logged_model(client: "MlflowClient", run: RunFolder, run_id: str) -> "LoggedModel":
    """Return the logged model of a run, which is uploaded if the store does not have it in full.

    Args:
        client: client of the store.
        run: a run with a trained model.
        run_id: MLflow's id of the run.
    """
    experiment = client.get_run(run_id).info.experiment_id
    model: LoggedModel
    for model in client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
        if model.status == "READY":
            return model
        client.delete_logged_model(model.model_id)  # its upload was interrupted
    return _upload(client, run, run_id, experiment)


def _upload(client: "MlflowClient", run: RunFolder, run_id: str, experiment: str) -> "LoggedModel":
    from mlflow.entities import LoggedModelOutput

    from pipeline.registry.served_model import save_served_model  # imports MLflow, which now is there

    created: Any = client.create_logged_model(
        experiment, _name(run), run_id, params=parameters(run.description()), model_type=MODEL_TYPE
    )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / ARTIFACT
        save_served_model(run.model, target, run_id, created.model_id)
        places = (client.get_run(run_id).info.artifact_uri, created.artifact_location)
        for place, source in zip(places, (folder, str(target)), strict=True):
            artifact_repository(client.tracking_uri, place).log_artifacts(source)
    step = _last_step(run)
    client.log_outputs(run_id, [LoggedModelOutput(created.model_id, step)])
    _send_figures(client, run, run_id, created.model_id)
    ready: LoggedModel = client.finalize_logged_model(created.model_id, "READY")  # type: ignore[no-untyped-call]
    return ready


def link_version(client: "MlflowClient", model: "LoggedModel", name: str, version: int) -> None:
    """Note a registered version on its logged model, whose page then shows it."""
    versions = [*json.loads(model.tags.get(VERSIONS_TAG, "[]")), {"name": name, "version": version}]
    client.set_logged_model_tags(model.model_id, {VERSIONS_TAG: json.dumps(versions)})


def _name(run: RunFolder) -> str:
    """Return the readable name of the run, without the characters that MLflow rejects in names of models."""
    return re.sub(r"""[/:.%"']+""", "-", run_name(run.description()).replace(": ", " - "))


def _send_figures(client: "MlflowClient", run: RunFolder, run_id: str, model_id: str) -> None:
    """Attach the figures of the run's end to the model.

    The points are those that the run has, with their step and time, so that it gets none twice.
    """
    from mlflow.entities import Metric

    points = []
    for key in numbers(run, run.status()):
        history = client.get_metric_history(run_id, key)
        if history:
            last = max(history, key=lambda point: (point.step, point.timestamp))
            points.append(
                Metric(key, last.value, last.timestamp, last.step, model_id=model_id, run_id=run_id)
            )
    client.log_batch(run_id, metrics=points)


def _last_step(run: RunFolder) -> int:
    return max((line["step"] for line in run.lines()), default=0)
