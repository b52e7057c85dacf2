"""The variants of a comparison have one parent run in MLflow, with their table, pictures and report links."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.common.files import data_dir
from pipeline.tracking.comparison import send_comparison, send_pending, try_send_comparison
from pipeline.tracking.comparison_folder import read_summary, write_summary
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.parents.parent_run import PARENT_TAG
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import store_uri
from tests.helpers.tracked_runs import add_model, free_port, new_run

BASELINES = {"FLAC": {"nats_per_step": None, "bits_per_sample": 8.0}}


def comparison(runs: dict[str, RunFolder]) -> Path:
    """The folder of a comparison of these runs, with a picture."""
    folder = data_dir() / "reports" / "digits-0123"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "learning_curves.png").write_bytes(b"\x89PNG")
    sizes = {"split": "test", "recordings": 3, "groups": 2, "seconds": 90.0}
    evaluations = {
        name: {
            "model": {"bits_per_sample": 7.5 - place, "nats_per_step": -2.0},
            "baselines": BASELINES,
            **sizes,
        }
        for place, name in enumerate(runs)
    }
    summary = {
        "name": "digits",
        "dataset": str(data_dir() / "prepared" / "x" / "dataset.json"),
        "runs": {name: str(run.path) for name, run in runs.items()},
        "parameters": {name: {"recurrent": 1_824} for name in runs},
        "evaluations": evaluations,
        "promotion": {"run": None, "why": "it is <b>better</b> | by far"},
        "failed": {},
        "pictures": [str(folder / "learning_curves.png")],
        "pages": [],
        "sounds": [],
    }
    write_summary(folder, summary)
    return folder


def finished(name: str, **tracking: str) -> RunFolder:
    run = new_run(name, **tracking)
    add_model(run)
    return run


@pytest.mark.usefixtures("local_store")
def test_variants_have_one_parent_after_any_number_of_runs() -> None:
    runs = {"gru": finished("first"), "lstm": finished("second")}
    folder = comparison(runs)
    parent = send_comparison(folder)
    assert send_comparison(folder) == parent
    (folder / "tracking.json").unlink()
    assert send_comparison(folder) == parent, "a kill between sending and noting makes no second parent"
    client = connect(store_uri())
    found = client.get_run(parent)
    everything = client.search_runs([found.info.experiment_id])
    children = [each for each in everything if each.data.tags.get(PARENT_TAG) == parent]
    assert len(everything) == 3
    assert {each.data.tags["wavecast.run"] for each in children} == {run.path.name for run in runs.values()}
    assert found.data.metrics == {"bits_per_sample/test": 6.5}, "the figures of the best variant"
    assert len(client.get_metric_history(parent, "bits_per_sample/test")) == 1
    assert found.info.status == "FINISHED"
    text = found.data.tags["mlflow.note.content"]
    assert "| **lstm** | 1,824 | 6.500 | +1.500 |" in text
    for each in children:
        assert (
            f"#/experiments/{each.info.experiment_id}/runs/{each.info.run_id}/artifacts/report.html" in text
        )
    assert "<b>" not in text
    files = {file.path for file in client.list_artifacts(parent)}
    assert files == {"comparison.csv", "learning_curves.png", "summary.json"}


def test_a_comparison_that_found_no_server_is_sent_later(
    own_data_dir: Path, fresh_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    folder = comparison({"gru": finished("first"), "lstm": finished("second")})
    try_send_comparison(folder)
    assert capsys.readouterr().err.count("to be sent later") == 1
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (own_data_dir / "mlflow").mkdir()
    shutil.copy(fresh_store, own_data_dir / "mlflow" / "mlflow.db")
    assert folder.name in send_pending(own_data_dir)
    assert send_pending(own_data_dir) == []
    experiments = [each.experiment_id for each in connect(store_uri()).search_experiments()]
    assert len(connect(store_uri()).search_runs(experiments)) == 3


@pytest.mark.usefixtures("local_store")
def test_one_variant_is_no_comparison() -> None:
    assert send_comparison(comparison({"gru": finished("first")})) == ""


def test_a_summary_has_no_path_of_the_machine_and_moves_with_its_data_folder(
    own_data_dir: Path, tmp_path: Path
) -> None:
    run = new_run("first")
    folder = comparison({"gru": run})
    assert str(own_data_dir) not in (folder / "summary.json").read_text()
    assert read_summary(folder / "summary.json")["runs"] == {"gru": str(run.path)}
    moved = shutil.copytree(own_data_dir, tmp_path / "elsewhere")
    there = read_summary(moved / "reports" / folder.name / "summary.json")
    assert there["runs"] == {"gru": str(moved / "runs" / run.path.name)}
    written = json.loads((folder / "summary.json").read_text())
    earlier = {**written, "runs": {"gru": str(run.path)}}
    del earlier["checksum"]
    (folder / "summary.json").write_text(json.dumps(earlier))
    assert read_summary(folder / "summary.json")["runs"] == {"gru": str(run.path)}
