"""A killed rank ends the training in one line, and the repeated command ends as if nothing had happened."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.tracking.run_folder import RunFolder
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.test_loop import SMALL

SECONDS = 400.0
SETTINGS = [*SMALL, "input.sample_rate=8000", "train.epochs=60", "train.patience_epochs=60"]
CALL = ["train", "--no-register", *(part for setting in SETTINGS for part in ("--set", setting))]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=10, seconds=0.5, sample_rate=8000)


def begin(data: Path, *command: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "WAVECAST_DATA": str(data), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, command)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    out, error = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, error
    return out


def only_run(data: Path) -> RunFolder:
    (folder,) = (data / "runs").iterdir()
    return RunFolder(folder)


def model_of(data: Path) -> bytes:
    return (only_run(data).model / "model.safetensors").read_bytes()


def rank_of(process: "subprocess.Popen[str]", data: Path, rank: int) -> psutil.Process:
    """The process of a rank, once the training has written two checkpoints after the first."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        if list((data / "runs").glob("*/previous.pt")):
            for child in psutil.Process(process.pid).children():
                if child.environ().get("RANK") == str(rank):
                    return child
        time.sleep(0.1)
    raise AssertionError(f"there is no rank {rank}")


@pytest.mark.slow
def test_a_killed_rank_ends_the_training_which_resumes_bit_for_bit(corpus: Path, tmp_path: Path) -> None:
    call = ["pipeline.cli.main", *CALL, corpus, "--ranks", 2]
    killed = begin(tmp_path / "killed", *call)
    other = rank_of(killed, tmp_path / "killed", 0)
    rank_of(killed, tmp_path / "killed", 1).send_signal(signal.SIGKILL)
    _, error = killed.communicate(timeout=SECONDS)
    assert killed.returncode == 1
    assert not other.is_running()
    lines = error.splitlines()
    assert len(lines) == 1, error
    assert re.search(r"rank 1 was ended by SIGKILL, .* repeat the command to resume it$", lines[0])
    assert only_run(tmp_path / "killed").status()["status"] == "running"
    finish(begin(tmp_path / "killed", *call))
    finish(begin(tmp_path / "whole", *call))
    assert model_of(tmp_path / "killed") == model_of(tmp_path / "whole")
    steps = [line["step"] for line in only_run(tmp_path / "killed").lines()]
    assert steps == [line["step"] for line in only_run(tmp_path / "whole").lines()]


@pytest.mark.slow
def test_torchrun_starts_the_same_training(corpus: Path, tmp_path: Path) -> None:
    short = [*CALL, "--set", "train.epochs=2", corpus]
    finish(begin(tmp_path / "ours", "pipeline.cli.main", *short, "--ranks", 2))
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", "pipeline.cli.main"]
    out = finish(begin(tmp_path / "torchrun", *launcher, *short))
    assert out.count("nats per step") == 1, "one rank prints"
    assert model_of(tmp_path / "torchrun") == model_of(tmp_path / "ours")
    mistake = begin(tmp_path / "torchrun", *launcher, *short, "--ranks", 2)
    _, error = mistake.communicate(timeout=SECONDS)
    assert mistake.returncode
    assert "--ranks is for a call without torchrun" in error


@pytest.mark.slow
def test_mistakes_are_one_line_of_the_first_rank(corpus: Path, tmp_path: Path) -> None:
    failed = begin(tmp_path / "data", "pipeline.cli.main", *CALL, corpus, "--ranks", 5)
    _, error = failed.communicate(timeout=SECONDS)
    assert failed.returncode == 2
    assert [line for line in error.splitlines() if line.startswith("wavecast: ")] == error.splitlines()
    assert error.count("5 ranks cannot share 4 sequences") == 1
