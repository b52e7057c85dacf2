"""Comparisons in MLflow: one parent run for the variants of a configuration on a data set.

The folder of the comparison is the record, as a run folder is of a training. The parent run is found again by
its tag, so that there is one after any number of kills, and it is sent later where the server was away.
"""

import csv
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError, print_notice
from pipeline.tracking.comparison_folder import SUMMARY, read_summary
from pipeline.tracking.mlflow_client import artifact_repository, connect, exists, send, store_of, written_ms
from pipeline.tracking.pages.comparison_page import (
    COLUMNS,
    best_first,
    describe_comparison,
    run_address,
    table,
)
from pipeline.tracking.pages.dataset_inputs import send_datasets
from pipeline.tracking.pages.run_page import page_tags
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import redacted_uri, tracking_errors
from pipeline.tracking.sync import sending, sync_pending
from pipeline.tracking.sync_state import SyncState, has_pending, load_sent, numbers, save_sent

if TYPE_CHECKING:
    from mlflow import MlflowClient

COMPARISON_TAG = "wavecast.comparison"
PARENT_TAG = "mlflow.parentRunId"
"""MLflow's tag of a run that its pages show below another one."""
OWN_COLOUR = "#7f7f7f"


def try_send_comparison(folder: Path) -> None:
    """Send a comparison of several variants; a failure is one line, and the comparison is sent later.

    Args:
        folder: of the comparison, with its `summary.json`.
    """
    try:
        send_comparison(folder)
    except UserError as problem:
        print_notice(f"{problem}; the comparison is kept in {folder}, to be sent later")


def send_comparison(folder: Path) -> str:
    """Send what MLflow does not have yet of a comparison: the parent run, its table, pictures and children.

    Args:
        folder: of the comparison.

    Returns:
        MLflow's id of the parent run; empty where there is nothing to compare.

    Raises:
        UserError: the store cannot be used, or a part of the comparison is damaged.
    """
    summary = read_summary(folder / SUMMARY)
    children = {name: RunFolder(Path(path)) for name, path in summary["runs"].items()}
    if not children or len(children) + len(summary.get("failed", {})) < 2:
        return ""
    uri = store_of(next(iter(children.values())))
    record = RunFolder(folder)
    with sending(record):
        sent = load_sent(record, redacted_uri(uri))
        sent.pending = True
        save_sent(record, sent)
        ids = {}
        for name, run in children.items():
            with sending(run):
                ids[name] = send(run, None)
        with tracking_errors(uri):
            client = connect(uri)
            _find_or_create(client, record, sent, summary, ids, next(iter(children.values())))
            _send_tags(client, record, sent, summary, ids, next(iter(children.values())))
            _send_files(client, uri, record, sent, summary)
            _send_figures(client, record, sent, children[best_first(summary)[0]])
            client.set_terminated(sent.run_id, "FINISHED", _written_ms(folder))
        sent.pending = False
        save_sent(record, sent)
    return sent.run_id


def send_pending(home: Path, leave: Path | None = None) -> list[str]:
    """Send unsent runs but ``leave``, and comparisons, of a data folder; return the names of those sent."""
    names = sync_pending(home / "runs", leave)
    for note in sorted((home / "reports").glob("*/tracking.json")):
        if has_pending(RunFolder(note.parent)):
            try_send_comparison(note.parent)
            if not has_pending(RunFolder(note.parent)):
                names.append(note.parent.name)
    return names


def _find_or_create(
    client: "MlflowClient",
    record: RunFolder,
    sent: SyncState,
    summary: dict[str, Any],
    ids: dict[str, str],
    first: RunFolder,
) -> None:
    """Note the parent run of a comparison: the noted one, else the one with its tag, else a new one."""
    if sent.run_id and not exists(client, sent.run_id):
        sent.renew()
    if not sent.run_id:
        experiment = client.get_run(next(iter(ids.values()))).info.experiment_id
        began_ms = first.description()["created_ms"]
        same = f"tags.`{COMPARISON_TAG}` = '{record.path.name}' and attributes.start_time = {began_ms}"
        found = client.search_runs([experiment], same, max_results=1)
        if found:
            sent.run_id = found[0].info.run_id
        else:
            marks = {COMPARISON_TAG: record.path.name}
            name = f"{summary['name']}: comparison"
            sent.run_id = client.create_run(experiment, began_ms, marks, run_name=name).info.run_id
        save_sent(record, sent)
        send_datasets(client, sent.run_id, first)
    for child in ids.values():
        if client.get_run(child).data.tags.get(PARENT_TAG) != sent.run_id:
            client.set_tag(child, PARENT_TAG, sent.run_id)


def _send_tags(
    client: "MlflowClient",
    record: RunFolder,
    sent: SyncState,
    summary: dict[str, Any],
    ids: dict[str, str],
    first: RunFolder,
) -> None:
    """Send the description with the table, the source and the user."""
    from mlflow.entities import RunTag

    experiment = client.get_run(sent.run_id).info.experiment_id
    pages = {name: run_address(experiment, run_id) for name, run_id in ids.items()}
    present = {
        **page_tags(first.description(), first.status()),
        "mlflow.source.name": f"wavecast run ({summary['name']})",
        "mlflow.runColor": OWN_COLOUR,
        "mlflow.note.content": describe_comparison(summary, pages, sent.run_id),
    }
    if present != sent.tags:
        client.log_batch(sent.run_id, tags=[RunTag(key, value) for key, value in present.items()])
        sent.tags = present
        save_sent(record, sent)


def _send_files(
    client: "MlflowClient", uri: str, record: RunFolder, sent: SyncState, summary: dict[str, Any]
) -> None:
    """Send the table and the pictures that are new or have changed."""
    repository = artifact_repository(uri, client.get_run(sent.run_id).info.artifact_uri)
    for path in [*map(Path, summary["pictures"]), record.path / SUMMARY]:
        stamp = [path.stat().st_size, path.stat().st_mtime_ns]
        if sent.artifacts.get(path.name) == stamp:
            continue
        if path.name == SUMMARY:
            with tempfile.TemporaryDirectory(prefix="wavecast-artifact-") as scratch:
                repository.log_artifact(str(_written_table(Path(scratch), summary)))
        repository.log_artifact(str(path))
        sent.artifacts[path.name] = stamp
        save_sent(record, sent)


def _send_figures(client: "MlflowClient", record: RunFolder, sent: SyncState, best: RunFolder) -> None:
    """Send the figures of the best variant, which are those of the comparison. Each has its point once."""
    from mlflow.entities import Metric

    figures = {
        name: value
        for name, value in numbers(best, best.status()).items()
        if name.startswith(("bits_per_sample/", "nats_per_step/"))
    }
    at_ms = written_ms(best)
    step = max((line["step"] for line in best.lines()), default=0)
    changed = [key for key, value in figures.items() if sent.summary.get(key) != value]
    if changed:
        client.log_batch(sent.run_id, [Metric(key, figures[key], at_ms, step) for key in changed])
        sent.summary = figures
        save_sent(record, sent)


def _written_table(folder: Path, summary: dict[str, Any]) -> Path:
    """Write the table of a comparison as CSV, which MLflow's pages show as a table."""
    path = folder / "comparison.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *table(summary)])
    return path


def _written_ms(folder: Path) -> int:
    return (folder / SUMMARY).stat().st_mtime_ns // 1_000_000
