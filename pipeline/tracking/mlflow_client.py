"""Upload of a run folder to one MLflow run, by explicit ids, never the active run.

Uploads are idempotent. A run that was created but not noted is found again by its tag. A point that is sent
twice has the same step, time and value, which is the key of its row in MLflow's store.
"""

import logging
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from pipeline.common.files import atomic_path
from pipeline.errors import print_notice
from pipeline.tracking.artifact_names import artifact_name, check_place, under_name
from pipeline.tracking.local_store import check_store, repair_moved, sqlite_address, sqlite_file
from pipeline.tracking.pages.dataset_inputs import send_datasets
from pipeline.tracking.pages.metric_names import tracked_name
from pipeline.tracking.pages.run_page import page_tags, run_name
from pipeline.tracking.run_folder import RunFolder, journal_lines
from pipeline.tracking.store import (
    ENVIRONMENT,
    TrackingUnavailable,
    artifact_root,
    redacted_uri,
    store_uri,
    tracking_errors,
)
from pipeline.tracking.sync_state import (
    SyncState,
    digest,
    load_sent,
    new_files,
    numbers,
    parameters,
    save_sent,
    tags,
    whole_lines,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Makes the MLflow UI open on curves and models, not on the traces of language models."""
RUN_TAG = "wavecast.run"
ENDS = {"finished": "FINISHED", "pruned": "KILLED"}
"""MLflow's words for the ends of trainings; every other one has failed."""
MOST_DELETED = 100
"""Most experiments of one name that may have been deleted."""
BATCH_POINTS = 1000
"""Most points that MLflow accepts in one request."""


def connect(uri: str) -> "MlflowClient":
    """Return a client of the store at ``uri``; a missing local store is created. Call it within
    `tracking_errors`."""
    database = sqlite_file(uri)
    if database and database.exists():
        check_store(database)  # before MLflow, whose import takes seconds
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    from pipeline.tracking.bounded_http import bound_answers
    from pipeline.tracking.bounded_stores import bound_databases, bound_object_stores

    bound_answers()
    bound_databases()
    bound_object_stores()
    for logger in ("mlflow", "alembic", "urllib3"):  # the caller reports failures in one line
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    if database and database.exists():
        repair_moved(database)
    elif database:
        _create(database, uri)
    return MlflowClient(uri, registry_uri=uri)


def _create(database: Path, uri: str) -> None:
    """Create an SQLite store once: MLflow fails if several processes open an empty one.

    It is made under another name, since an incomplete store cannot be repaired.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.with_suffix(".lock")):
        if not database.exists():
            with atomic_path(database) as temporary:
                address = sqlite_address(temporary)
                SqlAlchemyStore(address, artifact_root(uri)).engine.dispose()  # type: ignore[no-untyped-call]


def store_of(run: RunFolder) -> str:
    """Return the address of the store that the run is recorded in."""
    return store_uri(run.config().tracking.uri)


def send(run: RunFolder, covered: int | None) -> str:
    """Send what MLflow does not have yet; see `pipeline.tracking.sync.sync`. The caller holds the run's lock.

    Args:
        run: the run to send.
        covered: bytes of the journal to send; None sends all.

    Returns:
        The id of the MLflow run.

    Raises:
        TrackingUnavailable: the store cannot be used.
    """
    uri = store_of(run)
    sent = load_sent(run, redacted_uri(uri))
    status, lines = run.status(), whole_lines(run, covered)
    sent.pending, sent.covered = True, len(lines)
    save_sent(run, sent)
    with tracking_errors(uri):
        client = connect(uri)
        _find_or_create(client, uri, run, sent)
        _send_description(client, run, sent, status)
        _send_points(client, run, sent, lines)
        _send_artifacts(client, uri, run, sent)
        _send_end(client, run, sent, status, lines)
    sent.pending = False
    save_sent(run, sent)
    return sent.run_id


def _find_or_create(client: "MlflowClient", uri: str, run: RunFolder, sent: SyncState) -> None:
    """Note the MLflow run of this folder: the noted one, else the one with its tag, else a new one."""
    if sent.run_id and not exists(client, sent.run_id):
        sent.renew()
    arrived = whole_lines(run, sent.journal_bytes)
    # Another journal is of a restarted training, whose curve would mix with the old one. A damaged journal
    # is of the same training: what arrived on the server is then the better copy.
    if sent.journal_bytes and digest(arrived) != sent.journal_digest and not journal_lines(arrived)[1]:
        client.delete_run(sent.run_id)
        sent.renew()
    if sent.run_id:
        return
    description = run.description()
    experiment = _experiment(client, uri, description["config"]["tracking"]["experiment"])
    name, began_ms = run.path.name, description["created_ms"]
    # Trainings with the same settings have the same name, in another home or after a folder was deleted.
    same = f"tags.`{RUN_TAG}` = '{name}' and attributes.start_time = {began_ms}"
    found = client.search_runs([experiment], same, max_results=1)
    if found:
        sent.run_id = found[0].info.run_id
    else:
        marks = {RUN_TAG: name}
        created = client.create_run(experiment, began_ms, marks, run_name=run_name(description))
        sent.run_id = created.info.run_id
    save_sent(run, sent)


def exists(client: "MlflowClient", run_id: str) -> bool:
    """Return whether the store has the run and it is not deleted."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as problem:
        if problem.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _experiment(client: "MlflowClient", uri: str, name: str) -> str:
    """Return the experiment's id; a missing experiment is created.

    MLflow keeps the name of an experiment that was deleted in its pages. The runs after that are recorded
    under the name with a number.
    """
    from mlflow.exceptions import MlflowException

    for number in range(1, MOST_DELETED):
        label = name if number == 1 else f"{name}-{number}"
        found = client.get_experiment_by_name(label)
        if found is None:
            try:
                created = str(client.create_experiment(label, artifact_root(uri), EXPERIMENT_TAGS))
            except MlflowException:
                found = client.get_experiment_by_name(label)
                if found is None:  # otherwise another process was faster
                    raise
            else:
                if label != name:
                    where = f"the store at {redacted_uri(uri)}"
                    print_notice(f"{name!r} was deleted in {where}; runs are recorded in {label!r} now")
                return created
        if found.lifecycle_stage == "active":
            return str(found.experiment_id)
    raise TrackingUnavailable(f"store at {redacted_uri(uri)}: no experiment {name!r} can be made there")


def _send_description(
    client: "MlflowClient", run: RunFolder, sent: SyncState, status: dict[str, Any]
) -> None:
    from mlflow.entities import Param, RunTag

    description = run.description()
    present = tags(description, status) | page_tags(description, status)
    if present == sent.tags:
        return
    settings: dict[str, str] = {}
    if not sent.tags:
        send_datasets(client, sent.run_id, run)
        known = client.get_run(sent.run_id).data.params  # MLflow rejects another value of a parameter
        settings = {key: value for key, value in parameters(description).items() if key not in known}
    client.log_batch(
        sent.run_id,
        params=[Param(key, value) for key, value in settings.items()],
        tags=[RunTag(key, value) for key, value in present.items()],
    )
    sent.tags = present


def _send_points(client: "MlflowClient", run: RunFolder, sent: SyncState, lines: bytes) -> None:
    from mlflow.entities import Metric

    points = [
        Metric(tracked_name(key), value, line["time_ms"], line["step"])
        for line in journal_lines(lines[sent.journal_bytes :])[0]
        for key, value in line["metrics"].items()
    ]
    for begin in range(0, len(points), BATCH_POINTS):
        client.log_batch(sent.run_id, metrics=points[begin : begin + BATCH_POINTS])
    if len(lines) > sent.journal_bytes:
        sent.journal_bytes, sent.journal_digest = len(lines), digest(lines)
        save_sent(run, sent)


def artifact_repository(uri: str, address: str) -> Any:
    """Return MLflow's repository of the artifacts at an address of the store, within `tracking_errors`.

    The address is checked and used at once: the store is not asked for it again.

    Raises:
        UserError: see `pipeline.tracking.artifact_names.check_place`.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    check_place(uri, address)
    return get_artifact_repository(address, tracking_uri=uri)


def _send_artifacts(client: "MlflowClient", uri: str, run: RunFolder, sent: SyncState) -> None:
    waiting = list(new_files(run, sent))
    if not waiting:
        return
    repository = artifact_repository(uri, client.get_run(sent.run_id).info.artifact_uri)
    for path, name, stamp in waiting:
        safe = PurePosixPath(artifact_name(name))
        folder = safe.parent.as_posix()
        with under_name(path, safe.name) as named:
            repository.log_artifact(str(named), None if folder == "." else folder)
        sent.artifacts[name] = stamp
        save_sent(run, sent)


def _send_end(
    client: "MlflowClient", run: RunFolder, sent: SyncState, status: dict[str, Any], lines: bytes
) -> None:
    """Send summary figures as points at the last step, then the status: a finished run is complete."""
    from mlflow.entities import Metric

    step = max((line["step"] for line in journal_lines(lines)[0]), default=0)
    at_ms = written_ms(run)
    figures = numbers(run, status)
    changed = [key for key, value in figures.items() if sent.summary.get(key) != value]
    if changed:
        client.log_batch(sent.run_id, [Metric(key, figures[key], at_ms, step) for key in changed])
        sent.summary = figures
        save_sent(run, sent)
    if status["status"] != sent.status:
        if status["status"] == "running":
            client.update_run(sent.run_id, "RUNNING")
        else:
            ended = ENDS.get(status["status"], "FAILED")
            client.set_terminated(sent.run_id, ended, at_ms)
        sent.status = status["status"]


def written_ms(run: RunFolder) -> int:
    """Return the time when status.json was written, in ms, which is equal in every upload."""
    path = run.path / "status.json"
    return path.stat().st_mtime_ns // 1_000_000 if path.exists() else int(run.description()["created_ms"])
