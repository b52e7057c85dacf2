"""The process that sends a run beside its training: it costs the training nothing, and loses nothing."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.tracking import sender
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sender import background_sender
from pipeline.tracking.sync import sending as sending_lock
from pipeline.tracking.sync import sync_pending
from pipeline.tracking.sync_state import has_pending
from tests.helpers.servers.tracking import MISBEHAVIOURS, misbehaving, never
from tests.helpers.sounds import write_noisy_tones
from tests.helpers.tracked_runs import LOSS, journal_points, mirrored, new_run, points

pytestmark = pytest.mark.usefixtures("local_store")


def test_a_run_is_sent_from_another_process(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LAST_PART_S", 600.0)  # however busy the machine is
    with background_sender(run) as sending:
        assert sending
        sending.request(0, run.journal_size())
        run.append(60, {LOSS: 0.1})
        run.set_status("finished", summary={"best_epoch": 3})
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert mirrored(run).info.status == "FINISHED"
    assert sync_pending(run.path.parent) == []


def test_one_process_sends_several_runs_and_the_rest_of_each_at_its_end(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "LAST_PART_S", 600.0)
    other = new_run("other", experiment="other")
    with background_sender(run, other) as sending:
        assert sending
        sending.request(1, other.journal_size())
        other.set_status("finished", summary={"best_epoch": 3})
        sending.end(1)
        deadline = time.monotonic() + 120
        while has_pending(other):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert mirrored(other).info.status == "FINISHED"
        with sending_lock(other):  # as the evaluation of the trained model has it
            sending.request(0, run.journal_size())
    assert points(run, LOSS) == journal_points(run, LOSS)
    assert mirrored(run).info.status == "RUNNING"


def test_a_server_that_never_answers_does_not_hold_a_training_up(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sender, "FIRST_ANSWER_S", 0.3)
    monkeypatch.setattr(sender, "AWAY_S", 0.3)
    with misbehaving(never) as (address, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        began = time.monotonic()
        with background_sender(run) as sending:
            assert sending
            covered = run.journal_size()
            for _ in range(1_000):
                sending.request(0, covered)
            run.set_status("finished")
        assert time.monotonic() - began < 4
    assert capfd.readouterr().err.count("is sent later") == 1
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert sync_pending(run.path.parent) == [run.path.name]
    assert points(run, LOSS) == journal_points(run, LOSS)


def test_a_training_whose_sender_cannot_start_continues(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with background_sender(run) as sending:
        assert sending is None
    assert "is sent later" in capfd.readouterr().err
    assert sync_pending(run.path.parent) == [run.path.name]


def test_the_sender_ends_when_its_training_is_killed(run: RunFolder) -> None:
    code = "import sys, time; from pathlib import Path; from pipeline.tracking.run_folder import RunFolder\n"
    code += "from pipeline.tracking.sender import Sender; s = Sender(RunFolder(Path(sys.argv[1])))\n"
    code += "print(s._process.pid, flush=True); time.sleep(60)"
    training = subprocess.Popen([sys.executable, "-c", code, str(run.path)], stdout=subprocess.PIPE)
    assert training.stdout is not None
    pid = int(training.stdout.readline())
    training.kill()
    training.communicate()
    deadline = time.monotonic() + 15
    while _is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["never answers", "sends its answer slowly", "answers without an end"])
def test_a_training_takes_as_long_as_without_a_server(kind: str, tmp_path: Path) -> None:
    write_noisy_tones(tmp_path / "corpus", 6, 1.0, 8000)
    usual_s = timed_training(tmp_path / "corpus", tmp_path / "usual", None)
    with misbehaving(MISBEHAVIOURS[kind]) as (address, server):
        slowed_s = timed_training(tmp_path / "corpus", tmp_path / "slowed", address)
        assert server.requests
    # Training, then registration: the one waits for no answer, the other for two.
    assert slowed_s < usual_s + 70


def timed_training(corpus: Path, data: Path, address: str | None) -> float:
    settings = {"input.sample_rate": 8000, "corpus.group": "recording", "model.hidden_size": 16}
    settings |= {"train.epochs": 4, "train.device": "cpu"}
    words = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    variables = {
        **os.environ,
        "WAVECAST_DATA": str(data),
        **({"MLFLOW_TRACKING_URI": address} if address else {}),
    }
    began = time.monotonic()
    command = [sys.executable, "-m", "pipeline.cli.main", "train", str(corpus), *words]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert list(data.glob("runs/*/model/config.json"))
    return time.monotonic() - began
