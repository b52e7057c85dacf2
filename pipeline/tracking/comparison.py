"""Comparisons in MLflow: one parent run for the variants of a configuration on a data set.

The folder of the comparison is the record, as a run folder is of a training. The parent run is found again by
its tag, so that there is one after any number of kills, and it is sent later where the server was away.
"""

import csv
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, print_notice
from pipeline.tracking.comparison_folder import SUMMARY, read_summary
from pipeline.tracking.mlflow_client import connect, send, store_of, written_ms
from pipeline.tracking.pages.comparison_page import (
    COLUMNS,
    best_first,
    describe_comparison,
    run_address,
    table,
)
from pipeline.tracking.pages.run_page import page_tags
from pipeline.tracking.parents.parent_run import (
    OWN_COLOUR,
    adopt,
    figures_of,
    find_or_create,
    noted_as_pending,
    send_figures,
    send_files,
    send_tags,
)
from pipeline.tracking.parents.search_folder import RECORD
from pipeline.tracking.parents.search_run import try_send_search
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import tracking_errors
from pipeline.tracking.sync import sending, sync_pending
from pipeline.tracking.sync_state import has_pending

COMPARISON_TAG = "wavecast.comparison"


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
    with noted_as_pending(record, uri) as sent:
        ids = {}
        for name, run in children.items():
            with sending(run):
                ids[name] = send(run, None)
        with tracking_errors(uri), tempfile.TemporaryDirectory(prefix="wavecast-artifact-") as scratch:
            client = connect(uri)
            experiment = client.get_run(next(iter(ids.values()))).info.experiment_id
            name, first = f"{summary['name']}: comparison", next(iter(children.values()))
            find_or_create(client, record, sent, COMPARISON_TAG, name, first, experiment)
            adopt(client, sent.run_id, ids.values())
            send_tags(client, record, sent, _page(summary, ids, experiment, sent.run_id))
            send_files(client, uri, record, sent, _table_and_pictures(record, summary, Path(scratch)))
            best = children[best_first(summary)[0]]
            step = max((line["step"] for line in best.lines()), default=0)
            send_figures(client, record, sent, figures_of(best), written_ms(best), step)
            client.set_terminated(sent.run_id, "FINISHED", _written_ms(folder))
    return sent.run_id


def send_pending(home: Path, leave: Collection[Path] = ()) -> list[str]:
    """Send unsent runs, comparisons and searches of a data folder; return the names of those sent.

    Args:
        home: the data folder.
        leave: run folders that are not sent.
    """
    names = sync_pending(home / "runs", leave)
    for note in (*sorted(home.glob("reports/*/tracking.json")), *sorted(home.glob("tuning/*/tracking.json"))):
        if has_pending(RunFolder(note.parent)):
            (try_send_search if (note.parent / RECORD).exists() else try_send_comparison)(note.parent)
            if not has_pending(RunFolder(note.parent)):
                names.append(note.parent.name)
    return names


def _table_and_pictures(record: RunFolder, summary: dict[str, Any], scratch: Path) -> list[Path]:
    """Return the files of a comparison; the table is written again where the summary has changed."""
    table_path = _written_table(scratch, summary)
    stamp = (record.path / SUMMARY).stat()
    os.utime(table_path, ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))
    return [*map(Path, summary["pictures"]), table_path, record.path / SUMMARY]


def _page(summary: dict[str, Any], ids: dict[str, str], experiment: str, own_run: str) -> dict[str, str]:
    """Return the tags with the description, the source and the user."""
    first = RunFolder(Path(next(iter(summary["runs"].values()))))
    pages = {name: run_address(experiment, run_id) for name, run_id in ids.items()}
    return {
        **page_tags(first.description(), first.status()),
        "mlflow.source.name": f"wavecast run ({summary['name']})",
        "mlflow.runColor": OWN_COLOUR,
        "mlflow.note.content": describe_comparison(summary, pages, own_run),
    }


def _written_table(folder: Path, summary: dict[str, Any]) -> Path:
    """Write the table of a comparison as CSV, which MLflow's pages show as a table."""
    path = folder / "comparison.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *table(summary)])
    return path


def _written_ms(folder: Path) -> int:
    return (folder / SUMMARY).stat().st_mtime_ns // 1_000_000
