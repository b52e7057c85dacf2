"""Registration of trained models: versions under a name, their aliases, and the list of them.

What is registered is an MLflow model around the model folder, so that MLflow can serve it.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.common.files import data_dir
from pipeline.errors import UserError
from pipeline.registry.catalogue import (
    DECISION_TAG,
    PIN_TAG,
    registered_versions,
    run_folder_name,
    validation_bits,
)
from pipeline.registry.descriptions import MODEL, model_text, version_facts, with_section
from pipeline.registry.logged_model import MODEL_TAG, link_version, logged_model
from pipeline.registry.references import not_registered
from pipeline.registry.registry import found_or_none
from pipeline.tracking.local_store import sqlite_file
from pipeline.tracking.mlflow_client import RUN_TAG, connect, send, store_of
from pipeline.tracking.pages.comparison_page import run_address
from pipeline.tracking.pages.metric_names import recorded_metrics
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import ModelReference, store_uri, tracking_errors
from pipeline.tracking.sync import sending

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


def register(run: RunFolder, name: str) -> int:
    """Make a run's model a version of a registered model.

    The run is sent to the store first. A run has one version, which is returned when it is registered again.

    Args:
        run: a run with a trained model.
        name: the registered model.

    Returns:
        The number of the version.

    Raises:
        TrackingUnavailable: the store cannot be used.
        UserError: the run has no model yet.
    """
    if not (run.model / "config.json").exists():
        raise UserError(f"{run.path}: has no model yet; finish its training first")
    uri = store_of(run)
    with sending(run):
        run_id = send(run, None)
        with tracking_errors(uri):
            client = connect(uri)
            for version in client.search_model_versions(f"run_id='{run_id}'"):
                if version.name == name:
                    _describe_version(client, version, run, run_id)
                    return int(version.version)
            return _create_version(client, run, run_id, name)


def _create_version(client: "MlflowClient", run: RunFolder, run_id: str, name: str) -> int:
    from mlflow.exceptions import MlflowException

    model = logged_model(client, run, run_id)
    try:
        client.create_registered_model(name, description=model_text(name, run))
    except MlflowException as problem:
        if problem.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {RUN_TAG: run.path.name, MODEL_TAG: model.model_id}
    # A server accepts an id of a logged model only with a source below it. The tags link the two as well.
    model_id = None if client.tracking_uri.startswith(("http://", "https://")) else model.model_id
    created = client.create_model_version(
        name, f"runs:/{run_id}/model", run_id, tags, await_creation_for=0, model_id=model_id
    )
    link_version(client, model, name, int(created.version))
    _describe_version(client, created, run, run_id)
    return int(created.version)


def _describe_version(client: "MlflowClient", version: "ModelVersion", run: RunFolder, run_id: str) -> None:
    """Write the figures of a version into its description and tags, unless they are there."""
    experiment = client.get_run(run_id).info.experiment_id
    text, tags = version_facts(run, run_address(experiment, run_id))
    description = with_section(version.description, MODEL, text)
    if description != version.description:
        client.update_model_version(version.name, version.version, description)
    for key, value in tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(version.name, version.version, key, value)


def set_alias(name: str, version: int, alias: str, uri: str | None = None) -> None:
    """Let an alias mean this version, and no other, of the registered model.

    Args:
        name: the registered model.
        version: number of the version.
        alias: letters, digits, - and _, but neither `latest` nor a `v` with a number.
        uri: the store as configured; None is the default one. The functions below have the same argument.

    Raises:
        UserError: there is no such version, or MLflow rejects the alias.
        TrackingUnavailable: the store cannot be used.
    """
    store = store_uri(uri)
    versions = registered_versions(store)
    if version not in [found.version for found in versions if found.name == name]:
        raise not_registered(ModelReference.parse(f"models:/{name}/{version}"), versions)
    with tracking_errors(store):
        connect(store).set_registered_model_alias(name, alias, str(version))


def champion(name: str, uri: str | None = None) -> dict[str, Any] | None:
    """Return the version that the command line uses by default.

    Args:
        name: the registered model.
        uri: the store as configured; None is the default one.

    Returns:
        The facts of the version as in `list_models`, or None if there is no champion.

    Raises:
        TrackingUnavailable: the store cannot be used.
    """
    store = store_uri(uri)
    if _is_absent(store):
        return None
    with tracking_errors(store):
        client = connect(store)
        found = found_or_none(lambda: client.get_model_version_by_alias(name, "champion"))
        return _describe(client, found, list(found.aliases)) if found else None


def list_models(uri: str | None = None) -> list[dict[str, Any]]:
    """Return all registered versions, the newest first.

    Each has `name`, `version`, `aliases`, `run_id`, `run_name` (its folder's), `variant`, `kind` and
    `sample_rate` (None for notes) of its input, `metrics` (the last value of each curve and summary figure,
    under the names of run folders),
    `valid_bits_per_sample` (None where that is not known), `created` (date, time, offset from UTC),
    `promotion` (what was decided on it, see `pipeline.promotion.record`) and `pinned`.
    """
    store = store_uri(uri)
    if _is_absent(store):
        return []
    with tracking_errors(store):
        client = connect(store)
        aliases: dict[tuple[str, int], list[str]] = {}
        pins = set()
        for model in client.search_registered_models():
            pins.add((model.name, model.tags.get(PIN_TAG, "")))
            for alias, version in model.aliases.items():
                aliases.setdefault((model.name, int(version)), []).append(alias)
        versions = sorted(client.search_model_versions(), key=lambda v: -v.creation_timestamp)
        return [
            _describe(client, v, aliases.get((v.name, int(v.version)), []), (v.name, str(v.version)) in pins)
            for v in versions
        ]


def _is_absent(uri: str) -> bool:
    """Whether this is a local store that nothing was recorded in yet."""
    database = sqlite_file(uri)
    return database is not None and not database.exists()


def _describe(
    client: "MlflowClient", version: "ModelVersion", aliases: list[str], pinned: bool = False
) -> dict[str, Any]:
    run_id = version.run_id
    created = datetime.fromtimestamp(version.creation_timestamp / 1000).astimezone()
    run = found_or_none(lambda: client.get_run(run_id)) if run_id else None
    settings = run.data.params if run else {}
    return {
        "name": version.name,
        "version": int(version.version),
        "aliases": sorted(aliases),
        "run_id": run_id,
        "run_name": run_folder_name(version.tags.get(RUN_TAG)),
        "variant": settings.get("variant", ""),
        "kind": settings.get("input.kind", ""),
        "sample_rate": int(rate) if (rate := settings.get("input.sample_rate", "")).isdigit() else None,
        "metrics": recorded_metrics(run.data.metrics) if run else {},
        "valid_bits_per_sample": validation_bits(
            data_dir() / "runs" / (run_folder_name(version.tags.get(RUN_TAG)) or "-") / "model"
        ),
        "created": created.isoformat(sep=" ", timespec="minutes"),
        "promotion": {
            key.removeprefix(DECISION_TAG): value
            for key, value in version.tags.items()
            if key.startswith(DECISION_TAG)
        },
        "pinned": pinned,
    }
