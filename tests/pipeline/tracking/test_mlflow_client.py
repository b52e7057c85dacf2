"""Upload to MLflow, here the real one on SQLite: all parts of a run, and no part twice."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.run import RunConfig
from pipeline.tracking.local_store import sqlite_file
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.tracking.sync import store_uri, sync
from tests.helpers.tracked_runs import LOSS, add_model, artifact_names, journal_points, mirrored, points

LONG_TEXT = "x" * 10_000

pytestmark = pytest.mark.usefixtures("local_store")

# A run is mirrored.


def test_everything_of_a_run_is_mirrored(run: RunFolder) -> None:
    (run.artifacts / "sounds").mkdir(parents=True)
    (run.artifacts / "evaluation.json").write_text("{}")
    (run.artifacts / "sounds" / "a.wav").write_bytes(b"RIFF")
    run.set_status("finished", summary={"test_bits_per_sample": 6.5, "comment": "good", "skipped": 0})
    sync(run)
    seen = mirrored(run)
    assert seen.info.run_name == "gru 227, 20 diagonal, first"
    assert seen.data.tags["wavecast.run"] == run.path.name
    assert seen.info.status == "FINISHED"
    assert seen.info.start_time == run.description()["created_ms"]
    assert seen.data.params["model.cell"] == "gru"
    assert seen.data.params["data_fingerprint"] == "fingerprint"
    assert seen.data.tags["wavecast.variant"] == "gru"
    assert seen.data.tags["wavecast.device"] == "CPU, 2 threads"
    assert seen.data.tags["wavecast.parameters.all"] == "7"
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert [(step, value) for step, value, _ in points(run, "bits_per_sample/test")] == [(40, 6.5)]
    assert seen.data.metrics["skipped"] == 0
    assert artifact_names(run) == {"evaluation.json", "sounds"}
    assert artifact_names(run, "sounds") == {"sounds/a.wav"}


def test_statuses_follow_the_run(run: RunFolder) -> None:
    sync(run)
    assert mirrored(run).info.status == "RUNNING"
    run.set_status("failed", reason=LONG_TEXT)
    sync(run)
    assert mirrored(run).info.status == "FAILED"
    assert mirrored(run).data.tags["wavecast.reason"].startswith("xxx")
    run.set_status("running")
    sync(run)
    assert mirrored(run).info.status == "RUNNING"


def test_parameters_are_shortened_and_hold_no_address() -> None:
    uri = store_uri()
    run = start_run(
        RunConfig.model_validate(
            {"corpus": {"inputs": [Path("/secret") / LONG_TEXT]}, "tracking": {"uri": uri}}
        ),
        Path("dataset.json"),
        "fingerprint",
    )
    sync(run)
    parameters = mirrored(run).data.params
    assert 0 < len(parameters["corpus.inputs"]) <= 6_000
    assert uri not in str(parameters)
    assert "secret" not in parameters["corpus.inputs"], "no path of this machine"
    (run.path / "tracking.json").unlink()
    run.set_status("running", device="another")
    sync(run)
    assert mirrored(run).data.tags["wavecast.device"] == "another", "parameters are not sent twice"


def test_values_that_are_no_numbers_arrive(run: RunFolder) -> None:
    run.append(60, {LOSS: float("nan")})
    run.append(80, {LOSS: float("inf")})
    sync(run)
    (run.path / "tracking.json").unlink()
    sync(run)
    values = [value for step, value, _ in points(run, LOSS) if step > 40]
    assert len(values) == 2
    assert np.isnan(values[0])
    assert values[1] > 1e300


# Nothing arrives twice.


def test_sent_twice_is_there_once(run: RunFolder) -> None:
    add_model(run)
    sync(run)
    before = mirrored(run)
    sync(run)
    assert mirrored(run).data.to_dictionary() == before.data.to_dictionary()
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert len(points(run, "bits_per_sample/test")) == 1


def test_only_new_lines_and_changed_files_are_sent(run: RunFolder) -> None:
    run.artifacts.mkdir()
    (run.artifacts / "a.txt").write_text("old")
    (run.artifacts / "b.txt").write_text("kept")
    sync(run)
    root = Path(mirrored(run).info.artifact_uri.removeprefix("file://"))
    (root / "b.txt").unlink()
    run.append(60, {LOSS: 0.1})
    (run.artifacts / "a.txt").write_text("changed")
    sync(run)
    assert [step for step, _, _ in points(run, LOSS)] == [20, 40, 60]
    assert (root / "a.txt").read_text() == "changed"
    assert not (root / "b.txt").exists()


def test_killed_between_making_the_run_and_noting_it(run: RunFolder) -> None:
    sync(run, 0)
    (run.path / "tracking.json").unlink()
    sync(run)
    assert points(run, LOSS) == journal_points(run, LOSS)


def test_killed_between_sending_and_noting_it(run: RunFolder) -> None:
    """More points than MLflow takes at once, and a note from before the last of them."""
    sync(run)
    note = (run.path / "tracking.json").read_bytes()
    for step in range(60, 1_300):
        run.append(step, {LOSS: 1.0 / step})
    sync(run)
    (run.path / "tracking.json").write_bytes(note)
    run.append(2_000, {LOSS: 0.0})
    sync(run)
    assert points(run, LOSS) == journal_points(run, LOSS)


@pytest.mark.slow
def test_killed_with_kill_minus_nine_while_sending(run: RunFolder) -> None:
    for step in range(60, 3_000):
        run.append(step, {LOSS: 1.0 / step})
    code = "import sys; from pathlib import Path; from pipeline.tracking.run_folder import RunFolder; "
    code += "from pipeline.tracking.sync import sync; sync(RunFolder(Path(sys.argv[1])))"
    child = subprocess.Popen([sys.executable, "-c", code, str(run.path)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _arrived(run) == 0:
        time.sleep(0.005)
    child.kill()
    child.wait()
    assert _arrived(run) > 0
    sync(run)
    assert points(run, LOSS) == journal_points(run, LOSS)


def _arrived(run: RunFolder) -> int:
    """Points that are in the store, read past MLflow."""
    import sqlite3
    from contextlib import closing

    database = sqlite_file(store_uri())
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("select count(*) from metrics").fetchone()[0])


def test_a_summary_figure_is_a_point_again_only_when_it_changes(run: RunFolder) -> None:
    run.set_status("finished", summary={"figure": 2.0})
    sync(run)
    (run.path / "tracking.json").unlink()
    sync(run)
    run.set_status("finished")
    sync(run)
    assert [value for _, value, _ in points(run, "figure")] == [2.0]
    run.set_status("finished", summary={"figure": 1.0, "other": 3})
    sync(run)
    assert mirrored(run).data.metrics["figure"] == 1.0
    assert [value for _, value, _ in points(run, "other")] == [3.0]


# A training that is killed and goes on.


def test_lines_past_the_checkpoint_never_arrive(run: RunFolder) -> None:
    covered = run.journal_size()
    run.append(60, {LOSS: 0.5})
    sync(run, covered)
    run_id = mirrored(run).info.run_id
    assert [step for step, _, _ in points(run, LOSS)] == [20, 40]
    run.truncate_journal(covered)
    run.append(60, {LOSS: 0.25})
    run.append(80, {LOSS: 0.125})
    sync(run, run.journal_size())
    assert mirrored(run).info.run_id == run_id
    assert [(step, value) for step, value, _ in points(run, LOSS)] == [
        (20, 0.5),
        (40, 0.25),
        (60, 0.25),
        (80, 0.125),
    ]


def test_half_a_line_is_left_for_later(run: RunFolder) -> None:
    whole = run.journal.read_bytes()
    run.journal.write_bytes(whole[:-5])
    sync(run)
    assert [step for step, _, _ in points(run, LOSS)] == [20]
    run.journal.write_bytes(whole)
    sync(run)
    assert [step for step, _, _ in points(run, LOSS)] == [20, 40]


def test_a_training_begun_anew_replaces_the_old_curve(run: RunFolder) -> None:
    sync(run)
    run.truncate_journal(0)
    run.append(20, {LOSS: 3.0})
    sync(run)
    assert [(step, value) for step, value, _ in points(run, LOSS)] == [(20, 3.0)]


def test_a_run_deleted_in_mlflow_is_sent_anew(run: RunFolder) -> None:
    sync(run)
    connect(store_uri()).delete_run(mirrored(run).info.run_id)
    sync(run)
    assert points(run, LOSS) == journal_points(run, LOSS)
