"""A search has one parent run in MLflow, with a run for each trial, a table and a picture."""

from html import unescape
from pathlib import Path

import pytest

from pipeline.common.files import data_dir
from pipeline.tracking.comparison import send_pending
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.parents.parent_run import PARENT_TAG
from pipeline.tracking.parents.search_folder import (
    PICTURE,
    TABLE,
    SearchRecord,
    TrialRecord,
    best_run,
    read_search,
    write_search,
)
from pipeline.tracking.parents.search_run import send_search, try_send_search
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import store_uri
from tests.helpers.tracked_runs import add_model, free_port, new_run

RATE = {"kind": "log-uniform", "low": 1e-4, "high": 1e-2}


def trial(number: int, run: RunFolder, state: str, loss: float) -> TrialRecord:
    return {
        "label": f"trial-{number}",
        "number": number,
        "settings": {"train.learning_rate": 1e-4 * number, "model.cell": "<b>gru"},
        "state": state,
        "run": run.path.name,
        "epochs": 3,
        "elapsed_s": 90.0,
        "valid_nats_per_step": loss,
        "best_epoch": 2,
    }


def search() -> Path:
    """The folder of a search of a finished, a pruned and a failed trial, the last without a run."""
    runs = [new_run(f"trial{number}") for number in (1, 2)]
    add_model(runs[0])
    runs[1].set_status("pruned", reason="above the median")
    folder = data_dir() / "tuning" / "digits-0123"
    folder.mkdir(parents=True)
    for name in (PICTURE, TABLE):
        (folder / name).write_bytes(b"\x89PNG")
    failed: TrialRecord = {**trial(3, runs[0], "failed", 0.0), "run": "", "reason": "they | do not fit"}
    del failed["valid_nats_per_step"], failed["best_epoch"]
    record: SearchRecord = {
        "name": "digits",
        "fingerprint": "fingerprint",
        "space": {"train.learning_rate": RATE, "model.cell": {"kind": "choices", "values": ["<b>gru"]}},
        "sampler": "random",
        "seed": 0,
        "trials_wanted": 10,
        "trials": [trial(2, runs[1], "pruned", -3.0), trial(1, runs[0], "finished", -2.0), failed],
        "best": "trial-1",
    }
    write_search(folder, record)
    return folder


@pytest.mark.usefixtures("local_store")
def test_trials_have_one_parent_after_any_number_of_calls() -> None:
    folder = search()
    parent = send_search(folder, ended=False)
    client = connect(store_uri())
    assert client.get_run(parent).info.status == "RUNNING"
    (folder / "tracking.json").unlink()
    assert send_search(folder) == parent, "a kill between sending and noting makes no second parent"
    found = client.get_run(parent)
    everything = client.search_runs([found.info.experiment_id])
    children = {
        each.data.tags["wavecast.run"]: each.info.status
        for each in everything
        if each.data.tags.get(PARENT_TAG) == parent
    }
    assert len(everything) == 3
    assert set(children.values()) == {"FINISHED", "KILLED"}
    assert found.info.status == "FINISHED"
    assert found.data.metrics == {"bits_per_sample/test": 6.5}, "the figures of the best trial"
    assert found.data.params["space.train.learning_rate"] == "log-uniform, 0.0001 to 0.01"
    text = found.data.tags["mlflow.note.content"]
    shown = unescape(text)
    assert shown.index("| 0.0001 |") < shown.index("| 0.0002 |") < shown.index("do not fit")
    assert f"#/experiments/{found.info.experiment_id}/runs/" in text
    assert "<b>" not in text
    assert {file.path for file in client.list_artifacts(parent)} == {PICTURE, TABLE, "search.json"}
    assert best_run(folder, read_search(folder)).name in children


def test_a_search_that_found_no_server_is_sent_later(
    own_data_dir: Path, local_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = search()
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
        assert not try_send_search(folder)
    assert capsys.readouterr().err.count("to be sent later") == 1
    assert folder.name in send_pending(own_data_dir)
    assert send_pending(own_data_dir) == []
