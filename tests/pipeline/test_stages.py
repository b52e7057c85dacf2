"""Training in a child process: its end is reported, its work is kept, and it does not outlive its parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from pipeline.config.loading import load_config
from pipeline.errors import TrainingInterrupted, UserError
from pipeline.stages import prepare_stage, start_stage, train_stage
from pipeline.tracking.run_folder import RunFolder
from tests.helpers.sounds import write_noisy_tones

pytestmark = pytest.mark.slow


def long_run(tmp_path: Path, *settings: str) -> RunFolder:
    corpus = write_noisy_tones(tmp_path / "tones", count=10, seconds=2.0, sample_rate=8000)
    config = load_config(
        None,
        [
            f"corpus.inputs=[{corpus}]",
            *("corpus.group=recording", "input.sample_rate=8000", "train.device=cpu", "train.batch_size=2"),
            *("model.hidden_size=32", "model.mixture_components=2", "train.checkpoint_updates=5"),
            *settings,
        ],
    )
    return RunFolder(start_stage(config, prepare_stage(config)))


def wait_until_training(run: RunFolder) -> None:
    deadline = time.monotonic() + 60
    while not run.lines():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def kill_child(run: RunFolder) -> None:
    wait_until_training(run)
    for child in psutil.Process().children():
        if str(run.path) in child.cmdline():
            child.send_signal(signal.SIGKILL)


def test_a_killed_child_is_reported_and_resumes_when_called_again(tmp_path: Path) -> None:
    run = long_run(tmp_path, "train.epochs=12")
    killer = threading.Thread(target=kill_child, args=(run,))
    killer.start()
    with pytest.raises(TrainingInterrupted, match="SIGKILL"):
        train_stage(run.path)
    killer.join()
    reached = run.lines()[-1]["step"]
    assert train_stage(run.path) == run.model
    steps = [line["step"] for line in run.lines() if "train/nats_per_step" in line["metrics"]]
    assert steps == sorted(set(steps))
    assert steps[-1] > reached


def test_a_failing_child_gives_its_reason(tmp_path: Path) -> None:
    run = long_run(tmp_path, "train.learning_rate=1e30", "train.clip_norm=1e30", "train.warmup_updates=0")
    with pytest.raises(UserError, match=r"lower train\.learning_rate"):
        train_stage(run.path)


def test_no_training_outlives_its_parent(tmp_path: Path) -> None:
    run = long_run(tmp_path, "train.epochs=100000", "train.patience_epochs=100000")
    code = f"from pipeline.stages import Path, train_stage; train_stage(Path({str(run.path)!r}))"
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    wait_until_training(run)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    with FileLock(run.path / ".training.lock", timeout=20):
        pass


def test_a_folder_without_a_run_is_one_line_of_the_child(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.training", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        errors = child.stderr.read()
    assert child.returncode == 1
    assert errors == f"wavecast: {tmp_path}/run.json: no such training run\n"
