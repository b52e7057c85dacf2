"""The store of runs and models: its address, errors and contents, without the slow import of MLflow.

By default it is an SQLite file below the data folder, which needs no server. ``MLFLOW_TRACKING_URI`` or
``tracking.uri`` names an MLflow server.
"""

import os
import re
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pipeline.common.files import atomic_path, data_dir
from pipeline.errors import UserError, one_line
from pipeline.tracking.local_store import (
    check_store,
    local_folder,
    newest_experiment,
    read_only,
    repair_moved,
    sqlite_address,
    sqlite_file,
)

ENVIRONMENT = {
    # Both are needed to keep MLflow from reporting its use.
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # An unavailable server costs seconds, not the quarter of an hour of MLflow's defaults.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # Neither may a server name another place, nor the time until the next try.
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
CALLERS_MISTAKES = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS")
"""Error codes of MLflow for a wrong call, in contrast to an unavailable store."""
LONGEST_USE_S = 600.0
"""Longest use of a store in one `tracking_errors`, in seconds; what is not sent by then is sent later."""
_ends: dict[object, float] = {}
"""The ends of the uses in progress, in any thread: MLflow moves files in threads of its own."""
MODEL_IN_ARTIFACTS = "artifacts/model"
"""Path of the model folder in an MLflow model that `pipeline.registry.registration.register` makes."""


class TrackingUnavailable(UserError):
    """The tracking server or store cannot be used now; unsent data are still in the run folder."""


class NoSuchModel(UserError):
    """The store does not have the model that was named."""


def store_uri(configured: str | None = None) -> str:
    """Return the store in use.

    It is ``configured``, else ``MLFLOW_TRACKING_URI``, else the server that `wavecast up --database` has
    started, else the local SQLite file.
    """
    return configured or os.environ.get("MLFLOW_TRACKING_URI") or _started_server() or local_store_uri()


def local_store_uri() -> str:
    """Return the address of the SQLite file in the data folder."""
    return sqlite_address(data_dir() / "mlflow" / "mlflow.db")


def use_server(address: str | None) -> None:
    """Record runs at this MLflow server from now on; None returns to the local file."""
    path = data_dir() / "mlflow" / "server.txt"
    if address is None:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        temporary.write_text(address + "\n")


def _started_server() -> str | None:
    path = data_dir() / "mlflow" / "server.txt"
    return path.read_text().strip() if path.is_file() else None


def artifact_root(uri: str) -> str | None:
    """Return the folder of artifacts of a local store; None for a server, which has its own."""
    if uri.startswith(("http://", "https://")):
        return None
    database = sqlite_file(uri)
    return ((database.parent if database else data_dir() / "mlflow") / "artifacts").as_uri()


def redacted_uri(uri: str) -> str:
    """Return ``uri`` without user name and password."""
    return re.sub(r"//[^/@\s]+@", "//***@", uri)


def named(uri: str) -> str:
    """Return the kind and the address of a store, for messages."""
    return f"{'store' if sqlite_file(uri) else 'tracking server'} at {redacted_uri(uri)}"


@contextmanager
def tracking_errors(uri: str) -> Iterator[None]:
    """Convert all errors in using the store into a `TrackingUnavailable` of one line, and bound its time.

    MLflow lets through errors of requests, SQLAlchemy, the operating system and its own, and none of them
    may end a training; only what it calls a wrong parameter is the caller's mistake, a plain `UserError`.
    """
    use = object()
    _ends[use] = time.monotonic() + LONGEST_USE_S
    try:
        yield
    except UserError:
        raise
    except Exception as problem:
        message = f"{named(uri)} is unavailable ({_reason(problem)})"
        if getattr(problem, "error_code", "") in CALLERS_MISTAKES:
            raise UserError(f"{redacted_uri(uri)}: {_reason(problem)}") from None
        raise TrackingUnavailable(message) from None
    finally:
        del _ends[use]


def seconds_left(longest_s: float) -> float:
    """Return the time that one request may take: ``longest_s``, or what is left of the use of the store."""
    ends = max(tuple(_ends.values()), default=None)
    return longest_s if ends is None else min(longest_s, ends - time.monotonic())


def _reason(problem: BaseException) -> str:
    """Return the operating system's message at the bottom of a chain of exceptions, else the top one's.

    MLflow's own sentence on a failed request says less than the exception at the bottom.
    """
    words = str(problem).partition("(Background on this error")[0] or type(problem).__name__
    unnamed = re.search(r"failed with (timeout )?exception", words) is not None
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            words, unnamed = cause.strerror, False
        elif isinstance(cause, sqlite3.Error) or (unnamed and str(cause)):
            words = str(cause)
        cause = cause.__cause__ or cause.__context__
    return one_line(redacted_uri(" ".join(words[:1_000].split()))[:200])


@dataclass(frozen=True)
class ModelReference:
    """A model in the store: a registered version, by alias or number, or a folder among a run's artifacts."""

    text: str
    name: str = ""
    alias: str = ""
    version: str = ""
    run_id: str = ""
    path: str = "model"

    @classmethod
    def parse(cls, text: str) -> "ModelReference":
        """Read `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `runs:/ID` or `runs:/ID/PATH`.

        Raises:
            UserError: the text is none of these (exit code 2).
        """
        model = re.fullmatch(r"models:/([^/:@]+)(?:@([^/@]+)|/(\d+))", text)
        if model:
            return cls(text, name=model[1], alias=model[2] or "", version=model[3] or "")
        run = re.fullmatch(r"runs:/(\w+)(?:/(.+?))?/?", text)
        if run and ".." not in text.split("/"):
            return cls(text, run_id=run[1], path=run[2] or "model")
        forms = "models:/NAME@ALIAS, models:/NAME/VERSION or runs:/ID/model"
        raise UserError(f"{text}: not a model; write {forms}", exit_code=2)

    def missing(self) -> NoReturn:
        """Raise `NoSuchModel` for a model that the store does not have."""
        raise NoSuchModel(f"{self.text}: no such model; `wavecast models` lists what there is")


def find_in_sqlite(database: Path, reference: ModelReference) -> Path | None:
    """Return a model folder in a local store, read from its tables in a millisecond instead of seconds.

    Args:
        database: the store's SQLite file.
        reference: an address of a version, alias or run.

    Returns:
        The folder, or None if the store's tables are unexpected and MLflow itself has to be asked.

    Raises:
        UserError: the store has no such model.
    """
    if not database.exists():
        reference.missing()
    try:
        with closing(read_only(database)) as connection:
            root, path = _look_up(connection, reference)
    except sqlite3.Error:
        return None
    folder = local_folder(database, root)
    if folder is None:
        return None
    package = folder / path
    found = [f for f in (package / MODEL_IN_ARTIFACTS, package) if (f / "config.json").is_file()]
    return found[0] if found else None


def _look_up(connection: sqlite3.Connection, reference: ModelReference) -> tuple[str, str]:
    """Return the artifact location of the run that made a model, and the model's path below it."""

    def first(query: str, *values: str) -> str:
        row = connection.execute(query, values).fetchone()
        return str(row[0]) if row and row[0] is not None else reference.missing()

    run_id, path = reference.run_id, reference.path
    if reference.name:
        version = reference.version or first(
            "select version from registered_model_aliases where name = ? and alias = ?",
            reference.name,
            reference.alias,
        )
        source = first(
            "select source from model_versions where name = ? and version = ?"
            " and current_stage <> 'Deleted_Internal'",
            reference.name,
            version,
        )
        if not source.startswith("runs:/"):  # not made by `register`
            return "", ""
        run_id, _, path = source.removeprefix("runs:/").partition("/")
    return first("select artifact_uri from runs where run_uuid = ?", run_id), path


def serve_ui(host: str = "127.0.0.1", port: int = 5000) -> NoReturn:
    """Print the address of the MLflow UI on the local store, and replace this process by its server.

    Args:
        host: the address to listen at.
        port: the TCP port.

    Raises:
        UserError: the store is a server, which has its own user interface, the port is in use, or the store
            is damaged.
    """
    uri = store_uri()
    root = artifact_root(uri)
    if root is None:
        raise UserError(
            f"runs are recorded by the server at {redacted_uri(uri)}: open that address in a browser"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            message = f"{host}:{port}: cannot serve there ({problem.strerror}); try another --port"
            raise UserError(message) from None
    database = sqlite_file(uri)
    if database and database.exists():
        check_store(database)
        repair_moved(database)
    page = f"http://{host}:{port}{newest_experiment(database)}"
    print(f"{page}  (starts in about ten seconds; Ctrl-C stops it)", flush=True)
    address = ["--host", host, "--port", str(port), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *address, "--default-artifact-root", root]
    # The address of the store goes through the environment: it may hold a password.
    variables = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    os.execve(sys.executable, command, {**os.environ, **ENVIRONMENT, **variables})
