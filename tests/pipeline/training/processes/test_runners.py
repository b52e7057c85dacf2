"""Trainings at once give the weights of trainings one after the other; a lost process is replaced."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pipeline.config.run import RunConfig
from pipeline.config.runners import RunnersConfig
from pipeline.errors import UserError
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.loop import train
from pipeline.training.processes.runners import Stopped, count_slots, stop_when, train_all, train_run
from tests.helpers.clusters.dask_cluster import local_cluster
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.test_loop import config_for, start

LONG = "train.epochs=400", "train.checkpoint_updates=5", "train.patience_epochs=400"
SECONDS = 120.0


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=10, seconds=0.5, sample_rate=8000)


def model_of(run: RunFolder) -> bytes:
    return (run.model / "model.safetensors").read_bytes()


def expected_models(configs: list[RunConfig], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Train in this process, in another data folder, and return the models."""
    import torch

    before = torch.get_num_threads()
    with monkeypatch.context() as patch:
        patch.setenv("WAVECAST_DATA", str(folder))
        torch.set_num_threads(1)
        runs = [start(config) for config in configs]
        for run in runs:
            train(run)
        torch.set_num_threads(before)
        return [model_of(run) for run in runs]


@pytest.mark.slow
def test_two_workers_give_the_same_models_as_one_process(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [config_for(corpus, "train.epochs=1", f"train.seed={seed}") for seed in (0, 1)]
    expected = expected_models(configs, tmp_path / "alone", monkeypatch)
    runs = [start(config) for config in configs]
    ended = dict(train_all([run.path for run in runs], RunnersConfig(workers=2, threads=1)))
    assert ended == {run.path: None for run in runs}
    assert [model_of(run) for run in runs] == expected


def test_a_cluster_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.data.preparing.cluster.CONNECT_SECONDS", 0.5)
    with pytest.raises(UserError, match=r"dask://127\.0\.0\.1:9: no Dask scheduler answers there"):
        count_slots(RunnersConfig(workers="dask://127.0.0.1:9"))


@contextmanager
def in_thread(run: Path, where: RunnersConfig, stop: threading.Event) -> Iterator[list[BaseException | None]]:
    """Train a run in a thread; the list has its exception, or None, when it has ended."""
    ended: list[BaseException | None] = []

    def work() -> None:
        try:
            train_run(run, where, stop_when(stop))
            ended.append(None)
        except BaseException as problem:
            ended.append(problem)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield ended
    finally:
        thread.join(SECONDS)


def training_process(run: Path) -> psutil.Process:
    """Return the process that trains a run, once it has written a checkpoint."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for process in psutil.process_iter(["cmdline"]):
            if str(run) in (process.info["cmdline"] or ()) and (run / "previous.pt").exists():
                return process
        time.sleep(0.1)
    raise AssertionError("no process trains the run")


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_a_stopped_training_resumes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(corpus, *LONG)
    (expected,) = expected_models([config], tmp_path / "alone", monkeypatch)
    run, where = start(config), RunnersConfig(workers=2, threads=1)
    stop = threading.Event()
    with in_thread(run.path, where, stop) as ended:
        killed = training_process(run.path)
        killed.send_signal(signal.SIGKILL)
        killed.wait(SECONDS)
        assert training_process(run.path).pid != killed.pid
        stop.set()
    assert isinstance(ended[0], Stopped)
    assert run.status()["status"] == "running"
    train_run(run.path, where)
    assert model_of(run) == expected


@pytest.mark.slow
def test_a_training_of_a_lost_dask_worker_resumes_on_another(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [config_for(corpus, *LONG, f"train.seed={seed}") for seed in (0, 1)]
    expected = expected_models(configs, tmp_path / "alone", monkeypatch)
    runs = [start(config) for config in configs]
    with local_cluster() as cluster:
        where = RunnersConfig(workers=f"dask://{cluster.address}", threads=1)
        assert count_slots(where) == 2
        with in_thread(runs[0].path, where, threading.Event()) as ended:
            child = training_process(runs[0].path)
            worker = child.parent()
            assert worker is not None
            assert worker.pid != os.getpid()
            worker.send_signal(signal.SIGKILL)
            child.wait(SECONDS)  # it ends with its worker
        assert ended == [None]
        assert dict(train_all([run.path for run in runs], where)) == {run.path: None for run in runs}
    assert [model_of(run) for run in runs] == expected
