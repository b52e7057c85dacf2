"""Trainings at once give the weights of trainings one after the other; a lost process is replaced."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pipeline.config.run import RunConfig
from pipeline.config.runners import RunnersConfig
from pipeline.errors import TrainingInterrupted, UserError
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.loop import train
from pipeline.training.processes import runners
from pipeline.training.processes.runners import (
    MOST_LOSSES,
    Stopped,
    count_slots,
    stop_when,
    train_all,
    train_run,
)
from tests.helpers.clusters.dask_cluster import adaptive_cluster, local_cluster
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.test_loop import config_for, start

LONG = "train.epochs=400", "train.checkpoint_updates=5", "train.patience_epochs=400"
BESIDE = *LONG, "train.epochs=100"
"""Long enough that another training begins before it ends."""
SECONDS = 240.0


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
        count_slots(RunnersConfig(workers="dask://127.0.0.1:9"), 1)


@pytest.mark.slow
def test_a_cluster_without_workers_is_waited_for_and_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.data.preparing.cluster.FIRST_WORKER_SECONDS", 1)
    with (
        local_cluster(workers=0) as cluster,
        pytest.raises(UserError, match="the Dask scheduler has no workers"),
    ):
        count_slots(RunnersConfig(workers=f"dask://{cluster.address}"), 1)
    assert "waiting for the first worker of the Dask cluster" in capfd.readouterr().err


@contextmanager
def in_thread(call: Callable[[], object]) -> Iterator[list[object]]:
    """Call in a thread; the list has the result, or the exception, once there is one."""
    ended: list[object] = []

    def work() -> None:
        try:
            ended.append(call())
        except BaseException as problem:
            ended.append(problem)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield ended
    finally:
        thread.join(SECONDS)


def training_process(*runs: Path) -> psutil.Process:
    """Return the process that trains one of the runs, once it has written a checkpoint."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for process in training_processes(*(run for run in runs if (run / "previous.pt").exists())):
            return process
        time.sleep(0.1)
    raise AssertionError("no process trains the run")


def training_processes(*runs: Path) -> list[psutil.Process]:
    """Return the processes that now train one of the runs."""
    names = {str(run) for run in runs}
    return [each for each in psutil.process_iter(["cmdline"]) if names & set(each.info["cmdline"] or ())]


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_a_stopped_training_resumes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(corpus, *LONG)
    (expected,) = expected_models([config], tmp_path / "alone", monkeypatch)
    run, where = start(config), RunnersConfig(workers=2, threads=1)
    stop = threading.Event()
    with in_thread(lambda: train_run(run.path, where, stop_when(stop))) as ended:
        killed = training_process(run.path)
        killed.send_signal(signal.SIGKILL)
        killed.wait(SECONDS)
        assert training_process(run.path).pid != killed.pid
        stop.set()
    assert isinstance(ended[0], Stopped)
    assert run.status()["status"] == "running"
    train_run(run.path, where)
    assert model_of(run) == expected


def test_only_losses_without_a_checkpoint_between_them_end_a_training(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with workers of a batch system, each of which may run for an hour."""
    run, lost = start(config_for(corpus)), 0

    def lose(paths: list[Path], *_: object) -> None:
        nonlocal lost
        (path,), lost = paths, lost + 1
        if lost <= 10:
            (path / "last.pt").write_text(f"checkpoint {lost}")
        raise TrainingInterrupted(f"{path}: lost")

    monkeypatch.setattr(runners, "train_in_process", lose)
    with pytest.raises(TrainingInterrupted):
        train_run(run.path, RunnersConfig(workers=2))
    assert lost == 9 + MOST_LOSSES


@pytest.mark.slow
def test_a_training_of_a_lost_dask_worker_resumes_on_another(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [config_for(corpus, *LONG, f"train.seed={seed}") for seed in (0, 1)]
    expected = expected_models(configs, tmp_path / "alone", monkeypatch)
    runs = [start(config) for config in configs]
    with local_cluster() as cluster:
        where = RunnersConfig(workers=f"dask://{cluster.address}", threads=1)
        with in_thread(lambda: train_run(runs[0].path, where)) as ended:
            child = training_process(runs[0].path)
            worker = child.parent()
            assert worker is not None
            assert worker.pid != os.getpid()
            worker.send_signal(signal.SIGKILL)
            child.wait(SECONDS)  # it ends with its worker
        assert ended == [None]
        assert dict(train_all([run.path for run in runs], where)) == {run.path: None for run in runs}
    assert [model_of(run) for run in runs] == expected


@pytest.mark.slow
def test_a_dask_worker_that_joins_later_takes_a_training_that_waits(corpus: Path) -> None:
    paths = [start(config_for(corpus, *BESIDE, f"train.seed={seed}")).path for seed in (0, 1)]
    with local_cluster(workers=1) as cluster:
        where = RunnersConfig(workers=f"dask://{cluster.address}", threads=1)
        with in_thread(lambda: dict(train_all(paths, where))) as ended:
            first = training_process(*paths)
            cluster.add_worker()
            (later,) = (path for path in paths if str(path) not in first.cmdline())
            training_process(later)
            assert first.is_running()
        assert ended == [dict.fromkeys(paths)]


@pytest.mark.slow
def test_an_adaptive_cluster_starts_a_worker_for_each_training(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = [start(config_for(corpus, *BESIDE, f"train.seed={seed}")).path for seed in (0, 1)]
    with adaptive_cluster(tmp_path) as address:
        where = RunnersConfig(workers=f"dask://{address}", threads=1)
        with in_thread(lambda: dict(train_all(paths, where))) as ended:
            together = [training_process(path) for path in paths]
            assert together[0].is_running()
            assert len({process.ppid() for process in together}) == 2
        assert ended == [dict.fromkeys(paths)]
    assert "waiting for the first worker of the Dask cluster" in capfd.readouterr().err


@pytest.mark.slow
def test_workers_with_less_time_than_a_training_give_the_same_model(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(corpus, *BESIDE)
    (expected,) = expected_models([config], tmp_path / "alone", monkeypatch)
    run = start(config)
    with local_cluster(workers=0) as cluster:
        cluster.add_worker("--lifetime", "20 seconds", "--lifetime-restart")
        where = RunnersConfig(workers=f"dask://{cluster.address}", threads=1)
        with in_thread(lambda: train_run(run.path, where)) as ended:
            processes, deadline = set[int](), time.monotonic() + SECONDS
            while not ended and time.monotonic() < deadline:
                processes |= {process.pid for process in training_processes(run.path)}
                time.sleep(0.5)
        assert ended == [None]
    assert len(processes) > 1
    assert model_of(run) == expected


@pytest.mark.slow
def test_a_lost_scheduler_ends_a_training_with_a_line(
    corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = start(config_for(corpus, *LONG))
    with local_cluster(workers=1) as cluster:
        where = RunnersConfig(workers=f"dask://{cluster.address}", threads=1)
        with in_thread(lambda: train_run(run.path, where)) as ended:
            training_process(run.path)
            cluster.scheduler.kill()
    assert isinstance(ended[0], UserError)
    assert "no Dask scheduler answers there" in str(ended[0])
    lines = capfd.readouterr().err.splitlines()
    assert any("the Dask scheduler was lost" in line for line in lines)
    assert all(line.startswith("wavecast: ") for line in lines)
