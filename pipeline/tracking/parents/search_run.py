"""Searches in MLflow: one parent run, with a run for each trial below it.

The folder of the search is the record. The parent run is sent after each trial, and later where the server
was away.
"""

from pathlib import Path

from pipeline.errors import UserError, print_notice
from pipeline.tracking.mlflow_client import connect, send, store_of, written_ms
from pipeline.tracking.pages.comparison_page import run_address
from pipeline.tracking.pages.run_page import page_tags
from pipeline.tracking.pages.search_page import describe_search, space_text
from pipeline.tracking.parents.parent_run import (
    OWN_COLOUR,
    adopt,
    figures_of,
    find_or_create,
    noted_as_pending,
    send_figures,
    send_files,
    send_parameters,
    send_tags,
)
from pipeline.tracking.parents.search_folder import (
    PICTURE,
    RECORD,
    TABLE,
    SearchRecord,
    read_search,
    run_of,
)
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import tracking_errors
from pipeline.tracking.sync import sending
from pipeline.tracking.sync_state import load_sent

SEARCH_TAG = "wavecast.search"


def try_send_search(folder: Path, ended: bool = True) -> bool:
    """Send a search; a failure is one line, and the search is sent later.

    Args:
        folder: of the search, with its `search.json`.
        ended: whether no trial is left.

    Returns:
        Whether it was sent.
    """
    try:
        send_search(folder, ended)
    except UserError as problem:
        print_notice(f"{problem}; the search is kept in {folder}, to be sent later")
        return False
    return True


def send_search(folder: Path, ended: bool = True) -> str:
    """Send what MLflow does not have yet of a search: the parent run, its table, picture and trials.

    Args:
        folder: of the search.
        ended: whether no trial is left; the parent run is then finished.

    Returns:
        MLflow's id of the parent run; empty where no trial has ended.

    Raises:
        UserError: the store cannot be used, or a part of the search is damaged.
    """
    record = read_search(folder)
    runs = {trial["label"]: RunFolder(run_of(folder, trial)) for trial in record["trials"]}
    runs = {label: run for label, run in runs.items() if (run.path / "run.json").exists()}
    if not runs:
        return ""
    first = min(runs.values(), key=lambda run: int(run.description()["created_ms"]))
    uri, own = store_of(first), RunFolder(folder)
    with noted_as_pending(own, uri) as sent:
        ids = {}
        for label, run in runs.items():
            with sending(run):
                may_go_on = run.status()["status"] in ("running", "failed")
                ids[label] = send(run, load_sent(run, "").covered if may_go_on else None)
        with tracking_errors(uri):
            client = connect(uri)
            experiment = client.get_run(next(iter(ids.values()))).info.experiment_id
            find_or_create(client, own, sent, SEARCH_TAG, f"{record['name']}: search", first, experiment)
            adopt(client, sent.run_id, ids.values())
            send_tags(client, own, sent, _page(record, ids, experiment, first, sent.run_id))
            send_parameters(client, sent.run_id, _parameters(record))
            files = [folder / name for name in (PICTURE, TABLE, RECORD) if (folder / name).exists()]
            send_files(client, uri, own, sent, files)
            if best := runs.get(record["best"]):
                # The number of trials is the step: the last point is then that of the best trial.
                at_ms, step = written_ms(best), len(record["trials"])
                send_figures(client, own, sent, figures_of(best), at_ms, step)
            if ended:
                client.set_terminated(sent.run_id, "FINISHED", _written_ms(folder))
    return sent.run_id


def _page(
    record: SearchRecord, ids: dict[str, str], experiment: str, first: RunFolder, own_run: str
) -> dict[str, str]:
    """Return the tags with the description, the source and the user."""
    pages = {label: run_address(experiment, run_id) for label, run_id in ids.items()}
    return {
        **page_tags(first.description(), first.status()),
        "mlflow.source.name": f"wavecast tune ({record['name']})",
        "mlflow.runColor": OWN_COLOUR,
        "mlflow.note.content": describe_search(record, pages, PICTURE, own_run),
    }


def _parameters(record: SearchRecord) -> dict[str, str]:
    space = {f"space.{key}": space_text(found) for key, found in record["space"].items()}
    return {**space, "sampler": record["sampler"], "seed": str(record["seed"])}


def _written_ms(folder: Path) -> int:
    return (folder / RECORD).stat().st_mtime_ns // 1_000_000
