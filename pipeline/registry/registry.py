"""The model registry: trained models under a name, in numbered versions, some of them with an alias.

What is registered is an MLflow model around the model folder, so that MLflow can serve it; what wavecast
itself fetches is only that folder's `config.json` and `model.safetensors`, and no code with them.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.common.files import data_dir, expanded
from pipeline.errors import UserError
from pipeline.tracking.mlflow_client import RUN_TAG, connect, send, store_of
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import (
    MODEL_IN_ARTIFACTS,
    ModelReference,
    find_in_sqlite,
    reached,
    sqlite_file,
    store_uri,
)
from pipeline.tracking.sync import sending
from pipeline.tracking.sync_state import digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

T = TypeVar("T")
FILES = ("config.json", "model.safetensors")


def register(run: RunFolder, name: str) -> int:
    """Make the run's model a version of the registered model ``name``; returns the version's number.

    Sends the run first. A run has one version: registered again, that one is returned.

    Raises `TrackingAway` where the store cannot be used, `UserError` where the run has no model yet.
    """
    if not (run.model / "config.json").exists():
        raise UserError(f"{run.path}: has no model yet; finish its training first")
    uri = store_of(run)
    with sending(run):
        run_id = send(run, None)
        with reached(uri):
            client = connect(uri)
            for version in client.search_model_versions(f"run_id='{run_id}'"):
                if version.name == name:
                    return int(version.version)
            from pipeline.registry.served_model import save_served_model  # imports MLflow, which now is there

            with tempfile.TemporaryDirectory() as folder:
                save_served_model(run.model, Path(folder) / "model")
                client.log_artifacts(run_id, folder)
            return _create_version(client, run, run_id, name)


def _create_version(client: "MlflowClient", run: RunFolder, run_id: str, name: str) -> int:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as problem:
        if problem.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {RUN_TAG: run.path.name}
    source = f"runs:/{run_id}/model"
    return int(client.create_model_version(name, source, run_id, tags, await_creation_for=0).version)


def set_alias(name: str, version: int, alias: str, uri: str | None = None) -> None:
    """Let ``alias`` mean this version, and no other, of the registered model.

    ``uri`` is the store as configured, None the default one; so it is in the functions below.

    Raises `UserError` for what MLflow refuses: aliases of other than letters, digits, - and _; v1; latest.
    """
    store = store_uri(uri)
    with reached(store):
        connect(store).set_registered_model_alias(name, alias, str(version))


def champion(name: str, uri: str | None = None) -> dict[str, Any] | None:
    """The version that the command line uses by default, as in `list_models`; None where there is none."""
    store = store_uri(uri)
    if _is_absent(store):
        return None
    with reached(store):
        client = connect(store)
        found = _found(lambda: client.get_model_version_by_alias(name, "champion"))
        return _describe(client, found, list(found.aliases)) if found else None


def list_models(uri: str | None = None) -> list[dict[str, Any]]:
    """All registered versions, newest first.

    Each has `name`, `version`, `aliases`, `run_id`, `run_name` (its folder's), `metrics` (the last value of
    each curve and summary figure) and `created` (date, time, offset from UTC).
    """
    store = store_uri(uri)
    if _is_absent(store):
        return []
    with reached(store):
        client = connect(store)
        aliases: dict[tuple[str, int], list[str]] = {}
        for model in client.search_registered_models():
            for alias, version in model.aliases.items():
                aliases.setdefault((model.name, int(version)), []).append(alias)
        versions = sorted(client.search_model_versions(), key=lambda v: -v.creation_timestamp)
        return [_describe(client, v, aliases.get((v.name, int(v.version)), [])) for v in versions]


def _is_absent(uri: str) -> bool:
    """Whether this is a local store that nothing was recorded in yet."""
    database = sqlite_file(uri)
    return database is not None and not database.exists()


def _describe(client: "MlflowClient", version: "ModelVersion", aliases: list[str]) -> dict[str, Any]:
    run_id = version.run_id
    created = datetime.fromtimestamp(version.creation_timestamp / 1000).astimezone()
    run = _found(lambda: client.get_run(run_id)) if run_id else None
    return {
        "name": version.name,
        "version": int(version.version),
        "aliases": sorted(aliases),
        "run_id": run_id,
        "run_name": version.tags.get(RUN_TAG, ""),
        "metrics": dict(run.data.metrics) if run else {},
        "created": created.isoformat(sep=" ", timespec="minutes"),
    }


def _found(ask: Callable[[], T]) -> T | None:
    """What ``ask`` returns, or None where the store says that there is no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as problem:  # an alias that is not there is a wrong parameter to MLflow
        if problem.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def fetch_model(reference: str | None = None, name: str = "wavecast", uri: str | None = None) -> Path:
    """The folder of the model that is meant: a folder, or one fetched from the store.

    Args:
        reference: a model's folder, `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/ID/model`; None
            or "" means the champion of ``name``.
        name: a registered model.
        uri: the store as configured; None the default one.

    Raises `UserError` where there is no such model, `TrackingAway` where the store cannot be used.
    """
    text = reference or f"models:/{name}@champion"
    if not text.startswith(("models:/", "runs:/")):
        if expanded(text).is_dir():
            return expanded(text)
        raise UserError(f"{text}: no such model; give a model's folder, models:/NAME@ALIAS or runs:/ID/model")
    wanted = ModelReference.parse(text)
    store = store_uri(uri)
    database = sqlite_file(store)
    found = find_in_sqlite(database, wanted) if database else None
    if found:
        return found
    with reached(store):
        return _download(connect(store), store, wanted)


def _download(client: "MlflowClient", uri: str, wanted: ModelReference) -> Path:
    """Fetch the two files of a model, unless they have been fetched before."""
    from mlflow.artifacts import download_artifacts, list_artifacts

    source, key = _resolve(client, wanted)
    target = data_dir() / "models-cache" / f"{key}-{digest(f'{uri} {source}'.encode())[:10]}"
    if (target / FILES[0]).exists():
        return target
    for folder in (source, f"{source}/{MODEL_IN_ARTIFACTS}"):
        if FILES[0] in {PurePosixPath(file.path).name for file in list_artifacts(folder, tracking_uri=uri)}:
            break
    else:
        wanted.missing()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as temporary:
        for file in FILES:
            download_artifacts(f"{folder}/{file}", dst_path=f"{temporary}/model", tracking_uri=uri)
        with suppress(OSError):  # another process was faster
            Path(temporary, "model").rename(target)
    return target


def _resolve(client: "MlflowClient", wanted: ModelReference) -> tuple[str, str]:
    """Where a model's artifacts are, and a name for the cache that no other model ever has."""
    if wanted.run_id:
        if _found(lambda: client.get_run(wanted.run_id)) is None:
            wanted.missing()
        return f"runs:/{wanted.run_id}/{wanted.path}", wanted.run_id
    if wanted.alias:
        version = _found(lambda: client.get_model_version_by_alias(wanted.name, wanted.alias))
    else:
        version = _found(lambda: client.get_model_version(wanted.name, wanted.version))
    if version is None:
        wanted.missing()
    source = client.get_model_version_download_uri(version.name, version.version)
    return source, f"{version.name}-{version.version}-{version.creation_timestamp}"
