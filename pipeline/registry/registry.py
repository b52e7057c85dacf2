"""Models by reference: a model is found by any of its names, and fetched if it is on a server.

Only `config.json` and `model.safetensors` of a registered model are fetched, never code.
"""

import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from pipeline.common.files import data_dir
from pipeline.errors import UserError
from pipeline.registry.catalogue import registered_versions, trained_runs
from pipeline.registry.references import (
    default_version,
    find_version,
    local_model,
    no_such_model,
    not_registered,
    nothing_trained,
    other_champions,
    run_of_variant,
)
from pipeline.tracking.local_store import sqlite_file
from pipeline.tracking.mlflow_client import artifact_repository, connect
from pipeline.tracking.store import (
    MODEL_IN_ARTIFACTS,
    ModelReference,
    NoSuchModel,
    find_in_sqlite,
    store_uri,
    tracking_errors,
)
from pipeline.tracking.sync_state import digest

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from pipeline.model.trained_model import TrainedModel

T = TypeVar("T")
DEFAULT_NAME = "wavecast"
FILES = ("config.json", "model.safetensors")
SHOWN_OF_NAME = 60


def found_or_none(ask: Callable[[], T]) -> T | None:
    """Return what ``ask`` returns, or None where the store has no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as problem:  # an alias that is not there is a wrong parameter to MLflow
        if problem.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


@dataclass(frozen=True)
class FoundModel:
    """A model that was found.

    Attributes:
        folder: of the model's files, on this machine.
        label: a description for users: `wavecast/3 (champion, run demo-gru-988ad8c036)`.
        others: champions of other registered models, where none was named: `wavecast-demo@champion`.
    """

    folder: Path
    label: str
    others: tuple[str, ...] = ()

    def load(self, device: str = "cpu") -> "TrainedModel":
        """Return the model, its network on ``device``: `auto`, `cpu` or `cuda`."""
        from pipeline.model.storage import load_model

        return load_model(self.folder, device)


def load(reference: str = "", device: str = "cpu") -> "TrainedModel":
    """Return the model that ``reference`` means, loaded.

    Args:
        reference: as in `find_model`; empty is the default model.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        UserError: there is no such model, or no such device.
        TrackingUnavailable: the store cannot be used.
    """
    return find_model(reference).load(device)


def fetch_model(reference: str | None = None, name: str = DEFAULT_NAME, uri: str | None = None) -> Path:
    """Return the folder of the model that ``reference`` means, fetched if it is on a server.

    Arguments and errors are those of `find_model`.
    """
    return find_model(reference, name, uri).folder


def find_model(reference: str | None = None, name: str = DEFAULT_NAME, uri: str | None = None) -> FoundModel:
    """Find a model, and fetch it if it is on a server.

    Args:
        reference: the folder of a model or run; the name of a run on this machine; a version number, alias
            or variant; the name or MLflow id of a registered run; a registered model's name; NAME/VERSION,
            NAME@ALIAS, `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/ID/model`. Empty or None: the
            champion, else the newest registered version, else the newest trained run.
        name: the registered model whose versions and aliases are meant.
        uri: the store as configured; None is the default one.

    Returns:
        The model's folder, and the name under which it was found.

    Raises:
        UserError: there is no such model; the text has the names that are similar.
        TrackingUnavailable: the store cannot be used.
    """
    text, store = reference or "", store_uri(uri)
    if text.startswith(("models:/", "runs:/")):
        return FoundModel(_fetch(ModelReference.parse(text), store), text)
    if text and (folder := local_model(text)):
        return FoundModel(folder, text)
    versions = registered_versions(store)
    version = find_version(versions, text, name) if text else default_version(versions, name)
    if version:
        address = f"models:/{version.name}/{version.version}"
        others = () if text else other_champions(versions, version)
        return FoundModel(_fetch(ModelReference.parse(address), store), version.label, others)
    run = run_of_variant(text) if text else next(iter(trained_runs()), None)
    if run:
        return FoundModel(run.model, f"run {run.path.name} (not registered)")
    if not text:
        raise UserError(nothing_trained())
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise no_such_model(text, name, versions)
    return FoundModel(_fetch(ModelReference.parse(f"runs:/{text}"), store), f"run {text}")


def version_of(reference: str, name: str = DEFAULT_NAME, uri: str | None = None) -> tuple[str, int]:
    """Return the registered version that a reference means.

    Args:
        reference: as in `pipeline.registry.references.find_version`, or the folder of a registered run.
        name: the registered model whose version numbers and aliases are meant.
        uri: the store as configured; None is the default one.

    Returns:
        The name of the registered model, and the number of the version.

    Raises:
        UserError: no such version is registered.
        TrackingUnavailable: the store cannot be used.
    """
    versions = registered_versions(store_uri(uri))
    found = find_version(versions, reference, name)
    if found is None and (folder := local_model(reference)) and folder.parent.joinpath("run.json").is_file():
        found = find_version(versions, folder.parent.name, name)
        if found is None:
            run = folder.parent.name
            raise UserError(f"{run}: this run is not registered; wavecast models register {run}")
    if found is None:
        raise no_such_model(reference, name, versions)
    return found.name, found.version


def _fetch(wanted: ModelReference, store: str) -> Path:
    """Return the folder of a model in the store, downloaded if it is not on this machine."""
    database = sqlite_file(store)
    try:
        found = find_in_sqlite(database, wanted) if database else None
        if found:
            return found
        with tracking_errors(store):
            return _download(connect(store), store, wanted)
    except NoSuchModel:
        raise not_registered(wanted, registered_versions(store)) from None


def _download(client: "MlflowClient", uri: str, wanted: ModelReference) -> Path:
    """Fetch the two files of a model, unless they have been fetched before."""
    source, key = _resolve(client, wanted)
    target = data_dir() / "models-cache" / _cache_name(key, f"{uri} {source}")
    if (target / FILES[0]).exists():
        return target
    address = _address_of(client, source).rstrip("/")
    for folder in (address, f"{address}/{MODEL_IN_ARTIFACTS}"):
        repository = artifact_repository(uri, folder)
        if FILES[0] in {PurePosixPath(file.path).name for file in repository.list_artifacts()}:
            break
    else:
        wanted.missing()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as temporary:
        model = Path(temporary, "model")
        model.mkdir()
        for file in FILES:
            repository.download_artifacts(file, dst_path=str(model))
        with suppress(OSError):  # another process was faster
            Path(temporary, "model").rename(target)
    return target


def _resolve(client: "MlflowClient", wanted: ModelReference) -> tuple[str, str]:
    """Return the address of a model's artifacts, and a unique name for the cache."""
    if wanted.run_id:
        if found_or_none(lambda: client.get_run(wanted.run_id)) is None:
            wanted.missing()
        return f"runs:/{wanted.run_id}/{wanted.path}", wanted.run_id
    if wanted.alias:
        version = found_or_none(lambda: client.get_model_version_by_alias(wanted.name, wanted.alias))
    else:
        version = found_or_none(lambda: client.get_model_version(wanted.name, wanted.version))
    if version is None:
        wanted.missing()
    source = client.get_model_version_download_uri(version.name, version.version)
    return source, f"{version.name}-{version.version}-{version.creation_timestamp}"


def _address_of(client: "MlflowClient", source: str) -> str:
    """Return the address of a model's artifacts, resolved once."""
    kind, _, rest = source.partition(":/")
    identity, _, path = rest.partition("/")
    if kind == "runs":
        return f"{client.get_run(identity).info.artifact_uri}/{path}"
    if kind == "models" and identity.startswith("m-"):
        return f"{client.get_logged_model(identity).artifact_location}/{path}"
    return source


def _cache_name(key: str, address: str) -> str:
    """Return the name of a folder for a model; nothing that a server answers can make a path of it."""
    readable = re.sub(r"[^\w-]+", "-", key, flags=re.ASCII)[:SHOWN_OF_NAME]
    return f"{readable.strip('-') or 'model'}-{digest(f'{address} {key}'.encode())[:10]}"
