"""Kill -9 at random moments: the resumed training ends bit for bit where an uninterrupted one does."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from pipeline.tracking.run_folder import RunFolder
from tests.helpers.sounds import write_noisy_tones

KILLS = 5
SETTINGS = {
    "input.sample_rate": 8000,
    "corpus.group": "recording",
    "model.hidden_size": 48,
    "model.mixture_components": 4,
    "train.epochs": 6,
    "train.batch_size": 2,
    "train.bptt_steps": 20,
    "train.checkpoint_updates": 25,
    "train.log_updates": 5,
    "train.device": "cpu",
}


def begin_training(corpus: Path, data: Path) -> subprocess.Popen[bytes]:
    settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "pipeline.cli.main", "train", str(corpus), *settings]
    return subprocess.Popen(
        command,
        env={**os.environ, "WAVECAST_DATA": str(data), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


def only_run(data: Path) -> RunFolder:
    (folder,) = (data / "runs").iterdir()
    return RunFolder(folder)


def kill_at_a_random_moment(corpus: Path, data: Path, moments: random.Random) -> bool:
    """Start training, kill it somewhere between preparation and the end; returns whether it was alive."""
    process = begin_training(corpus, data)
    journal = data / "runs"
    deadline = time.monotonic() + 60
    before = sum(path.stat().st_size for path in journal.glob("*/journal.jsonl"))
    while time.monotonic() < deadline and process.poll() is None:
        if sum(path.stat().st_size for path in journal.glob("*/journal.jsonl")) != before:
            break
        time.sleep(0.02)
    time.sleep(moments.uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_five_kills_change_neither_the_weights_nor_the_record(tmp_path: Path) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=12, seconds=2.0, sample_rate=8000)
    moments = random.Random()
    killed = sum(kill_at_a_random_moment(corpus, tmp_path / "killed", moments) for _ in range(KILLS))
    assert killed == KILLS, "the training must be long enough to be killed five times"
    finish(begin_training(corpus, tmp_path / "killed"))
    finish(begin_training(corpus, tmp_path / "whole"))

    runs = [only_run(tmp_path / name) for name in ("killed", "whole")]
    last = [torch.load(run.last_checkpoint, weights_only=True) for run in runs]
    for name, value in last[1]["weights"].items():
        assert torch.equal(last[0]["weights"][name], value), name
    models = [(run.model / "model.safetensors").read_bytes() for run in runs]
    assert models[0] == models[1]

    histories = [curves(tmp_path / name) for name in ("killed", "whole")]
    assert histories[0].keys() == histories[1].keys()
    for key in ("train/nats_per_step", "valid/nats_per_step"):
        assert histories[0][key] == histories[1][key]
    for key, points in histories[0].items():
        steps = Counter(step for step, _ in points)
        assert max(steps.values()) == 1, f"{key} has a step twice"


def curves(data: Path) -> dict[str, list[tuple[int, float]]]:
    """All curves of the only MLflow run in a data folder."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{data}/mlflow/mlflow.db")
    experiments = [e.experiment_id for e in client.search_experiments()]
    (run,) = client.search_runs(experiments)
    assert run.info.status == "FINISHED"
    return {
        key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
    }
