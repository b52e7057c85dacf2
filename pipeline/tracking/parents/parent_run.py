"""The parts of a parent run in MLflow that comparisons and searches share.

Each function sends what the note of the folder does not have yet. A kill between sending and noting does no
harm: the run is found again by its tag, and a point that is sent twice has the same key.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.tracking.mlflow_client import artifact_repository, exists
from pipeline.tracking.pages.dataset_inputs import send_datasets
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import redacted_uri
from pipeline.tracking.sync import sending
from pipeline.tracking.sync_state import TEXT_LIMIT, SyncState, load_sent, numbers, save_sent

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT_TAG = "mlflow.parentRunId"
"""MLflow's tag of a run that its pages show below another one."""
OWN_COLOUR = "#7f7f7f"


@contextmanager
def noted_as_pending(record: RunFolder, uri: str) -> Iterator[SyncState]:
    """Return the note of what was sent of a folder, which counts as pending unless the block ends normally.

    Args:
        record: the folder, which no other process sends meanwhile.
        uri: address of the store.
    """
    with sending(record):
        sent = load_sent(record, redacted_uri(uri))
        sent.pending = True
        save_sent(record, sent)
        yield sent
        sent.pending = False
        save_sent(record, sent)


def find_or_create(
    client: "MlflowClient",
    record: RunFolder,
    sent: SyncState,
    tag: str,
    name: str,
    first: RunFolder,
    experiment: str,
) -> None:
    """Note the parent run of a folder: the noted one, else the one with its tag, else a new one.

    Args:
        client: of the store.
        record: the folder.
        sent: its note.
        tag: the tag that holds the folder's name.
        name: of a new run.
        first: the earliest of its children, whose start and data set are those of the parent.
        experiment: MLflow's id of the experiment of the children.
    """
    if sent.run_id and not exists(client, sent.run_id):
        sent.renew()
    if sent.run_id:
        return
    began_ms = first.description()["created_ms"]
    same = f"tags.`{tag}` = '{record.path.name}' and attributes.start_time = {began_ms}"
    found = client.search_runs([experiment], same, max_results=1)
    if found:
        sent.run_id = found[0].info.run_id
    else:
        marks = {tag: record.path.name}
        sent.run_id = client.create_run(experiment, began_ms, marks, run_name=name).info.run_id
    save_sent(record, sent)
    send_datasets(client, sent.run_id, first)


def adopt(client: "MlflowClient", parent: str, children: Iterable[str]) -> None:
    """Show runs below a parent run in MLflow's pages."""
    for child in children:
        if client.get_run(child).data.tags.get(PARENT_TAG) != parent:
            client.set_tag(child, PARENT_TAG, parent)


def send_tags(client: "MlflowClient", record: RunFolder, sent: SyncState, present: Mapping[str, str]) -> None:
    """Send tags that are new or have changed."""
    from mlflow.entities import RunTag

    if present != sent.tags:
        client.log_batch(sent.run_id, tags=[RunTag(key, value) for key, value in present.items()])
        sent.tags = dict(present)
        save_sent(record, sent)


def send_parameters(client: "MlflowClient", run_id: str, settings: Mapping[str, str]) -> None:
    """Send the parameters that the run does not have yet: MLflow rejects another value of one."""
    from mlflow.entities import Param

    known = client.get_run(run_id).data.params
    missing = [Param(key, value[:TEXT_LIMIT]) for key, value in settings.items() if key not in known]
    if missing:
        client.log_batch(run_id, params=missing)


def send_files(
    client: "MlflowClient", uri: str, record: RunFolder, sent: SyncState, paths: Iterable[Path]
) -> None:
    """Send files that are new or have changed, each under its own name."""
    repository = artifact_repository(uri, client.get_run(sent.run_id).info.artifact_uri)
    for path in paths:
        stamp = [path.stat().st_size, path.stat().st_mtime_ns]
        if sent.artifacts.get(path.name) == stamp:
            continue
        repository.log_artifact(str(path))
        sent.artifacts[path.name] = stamp
        save_sent(record, sent)


def figures_of(best: RunFolder) -> dict[str, float]:
    """Return the losses and bits of a child by their names in MLflow, which its parent shows as its own."""
    return {
        name: value
        for name, value in numbers(best, best.status()).items()
        if name.startswith(("bits_per_sample/", "nats_per_step/"))
    }


def send_figures(
    client: "MlflowClient",
    record: RunFolder,
    sent: SyncState,
    figures: Mapping[str, float],
    at_ms: int,
    step: int,
) -> None:
    """Send figures that are new or have changed, as points at one step and time."""
    from mlflow.entities import Metric

    changed = [key for key, value in figures.items() if sent.summary.get(key) != value]
    if changed:
        client.log_batch(sent.run_id, [Metric(key, figures[key], at_ms, step) for key in changed])
        sent.summary = dict(figures)
        save_sent(record, sent)
