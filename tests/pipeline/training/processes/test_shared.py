"""A process for several trainings: each is waited for, resumed and ended by itself."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline.config.runners import RunnersConfig
from pipeline.errors import TrainingInterrupted, UserError
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.processes.runners import stop_when, train_all
from pipeline.training.processes.shared import SharedTraining, Stopped, shared_trainings
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.processes.test_runners import (
    LONG,
    expected_models,
    in_thread,
    model_of,
    training_process,
    training_processes,
)
from tests.pipeline.training.test_loop import config_for, start

Observe = Callable[[], None]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=10, seconds=0.5, sample_rate=8000)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.training.processes.shared.POLL_SECONDS", 0.02)


@pytest.fixture
def runs(corpus: Path) -> list[RunFolder]:
    return [start(config_for(corpus, f"train.seed={seed}")) for seed in range(3)]


def nothing() -> None:
    return None


def test_each_is_done_when_its_own_training_has_ended(runs: list[RunFolder]) -> None:
    finish_second = threading.Event()

    def launch(paths: Sequence[Path], observe: Observe) -> None:
        assert list(paths) == [run.path for run in runs]
        runs[0].set_status("finished")
        runs[1].set_status("failed", reason=f"{runs[1].path}: no likelihood")
        assert finish_second.wait(10)
        runs[2].set_status("finished")

    shared = SharedTraining([run.path for run in runs], launch, threading.Semaphore(1))
    shared.train(runs[0].path, nothing)
    with pytest.raises(UserError, match=r"training failed \(no likelihood\)"):
        shared.train(runs[1].path, nothing)
    with in_thread(lambda: shared.train(runs[2].path, nothing)) as ended:
        time.sleep(0.1)
        assert not ended
        finish_second.set()
    assert ended == [None]


def test_a_lost_process_is_started_again_for_those_that_are_left(runs: list[RunFolder]) -> None:
    launched: list[list[Path]] = []

    def launch(paths: Sequence[Path], observe: Observe) -> None:
        launched.append(list(paths))
        if len(launched) == 1:
            runs[0].set_status("finished")
            raise TrainingInterrupted("lost")
        for path in paths:
            RunFolder(path).set_status("finished")

    shared = SharedTraining([run.path for run in runs], launch, threading.Semaphore(1))
    for run in runs[1:]:
        if len(launched) < 1:
            with pytest.raises(TrainingInterrupted):
                shared.train(run.path, nothing)
        shared.train(run.path, nothing)
    shared.train(runs[0].path, nothing)
    assert launched == [[run.path for run in runs], [run.path for run in runs[1:]]]


def test_one_that_is_ended_leaves_the_others_and_the_last_ends_the_process(runs: list[RunFolder]) -> None:
    ended_process = threading.Event()

    def launch(paths: Sequence[Path], observe: Observe) -> None:
        try:
            while True:
                observe()
                if runs[0].end_request.exists():
                    runs[0].end_request.unlink(missing_ok=True)
                time.sleep(0.01)
        finally:
            ended_process.set()

    shared = SharedTraining([run.path for run in runs[:2]], launch, threading.Semaphore(1))

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        shared.train(runs[0].path, stop)
    assert not ended_process.wait(0.1)
    with pytest.raises(Stopped):
        shared.train(runs[1].path, stop)
    assert ended_process.wait(10)


def test_there_are_as_many_processes_at_a_time_as_slots(runs: list[RunFolder]) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def launch(paths: Sequence[Path], observe: Observe) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.1)
        for path in paths:
            RunFolder(path).set_status("finished")
        with lock:
            at_once -= 1

    paths = [run.path for run in runs]
    groups = shared_trainings(paths, 1, launch, slots=1)
    threads = [threading.Thread(target=groups[path].train, args=(path, nothing)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 1
    assert {run.status()["status"] for run in runs} == {"finished"}


@pytest.mark.slow
def test_models_of_one_process_are_those_of_one_process_each(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    configs = [config_for(corpus, "train.epochs=1", f"train.seed={seed}") for seed in (0, 1, 2)]
    expected = expected_models(configs, tmp_path / "alone", monkeypatch)
    configs.append(config_for(corpus, "train.learning_rate=1e30", "train.clip_norm=1e30"))
    folders = [start(config) for config in configs]
    ended = dict(train_all([run.path for run in folders], RunnersConfig(together=4, threads=1)))
    assert [model_of(run) for run in folders[:3]] == expected
    assert [ended[run.path] for run in folders[:3]] == [None, None, None]
    assert "the loss stays non-finite" in str(ended[folders[3].path])
    assert capfd.readouterr().err.count("the loss stays non-finite") == 1


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_stopped_trainings_resume(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [config_for(corpus, *LONG, f"train.seed={seed}") for seed in (0, 1)]
    expected = expected_models(configs, tmp_path / "alone", monkeypatch)
    folders = [start(config) for config in configs]
    paths = [run.path for run in folders]
    where, stop = RunnersConfig(workers=1, threads=1, together=2), threading.Event()
    monkeypatch.setattr("pipeline.training.processes.runners.stop_when", lambda _: stop_when(stop))
    with in_thread(lambda: dict(train_all(paths, where))) as ended:
        killed = training_process(*paths)
        killed.send_signal(signal.SIGKILL)
        killed.wait(240)
        assert training_process(*paths).pid != killed.pid
        stop.set()
    assert isinstance(ended[0], Stopped) or all(
        isinstance(found, Stopped)
        for found in dict(ended[0]).values()  # type: ignore[call-overload]
    )
    assert not training_processes(*paths)
    monkeypatch.undo()
    assert dict(train_all(paths, where)) == dict.fromkeys(paths)
    assert [model_of(run) for run in folders] == expected
