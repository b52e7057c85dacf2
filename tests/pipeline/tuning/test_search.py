"""A search trains each trial once, with any number of workers, after a kill, and beside diverging trials."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import psutil
import pytest

from pipeline.config.run import RunConfig
from pipeline.errors import UserError
from pipeline.stages import prepare_stage
from pipeline.tracking.parents.search_folder import SearchRecord, TrialRecord, read_search, run_of
from pipeline.tracking.run_folder import RunFolder
from pipeline.tuning.search import run_search
from tests.helpers.clusters.dask_cluster import local_cluster
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.test_loop import config_for

CELLS = "tuning.space.model.cell={kind: choices, values: [gru, lstm, tanh]}"
RATES = "tuning.space.train.learning_rate={kind: log-uniform, low: 1e-4, high: 1e-2}"
SECONDS = 240.0


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=10, seconds=0.5, sample_rate=8000)


def search(config: RunConfig) -> tuple[Path, SearchRecord, list[TrialRecord]]:
    """Run a search; return its folder, its record, and the trials that ended in this call, in that order."""
    ended: list[TrialRecord] = []
    folder, record = run_search(config, prepare_stage(config), on_trial=lambda trial, _: ended.append(trial))
    return folder, record, ended


def models(folder: Path, record: SearchRecord) -> dict[str, bytes]:
    """The model of each trial that was trained to its end."""
    return {
        trial["label"]: (run_of(folder, trial) / "model" / "model.safetensors").read_bytes()
        for trial in record["trials"]
        if trial["state"] == "finished"
    }


@pytest.mark.slow
@pytest.mark.usefixtures("local_store")
def test_a_second_call_trains_only_what_is_new(corpus: Path) -> None:
    config = config_for(corpus, "train.epochs=1", "tuning.trials=1", CELLS, "run.threads=1")
    folder, record, ended = search(config)
    assert [trial["label"] for trial in ended] == ["trial-1"]
    before = models(folder, record)
    more = config.model_copy(update={"tuning": config.tuning.model_copy(update={"trials": 2})})
    again, record, ended = search(more)
    assert again == folder
    assert [trial["label"] for trial in ended] == ["trial-2"]
    assert record == read_search(folder)
    assert models(folder, record)["trial-1"] == before["trial-1"]
    assert len({str(trial["settings"]) for trial in record["trials"]}) == 2
    losses = {trial["label"]: trial["valid_nats_per_step"] for trial in record["trials"]}
    assert record["best"] == min(losses, key=losses.__getitem__)
    assert RunFolder(run_of(folder, ended[0])).config().model.cell == ended[0]["settings"]["model.cell"]
    assert {path.name for path in folder.glob("[!.]*")} >= {"search.json", "search.png", "trials.csv"}


def test_an_empty_space_is_refused(corpus: Path) -> None:
    with pytest.raises(UserError, match="name the settings to search"):
        run_search(config_for(corpus, "tuning.space={}"), corpus / "dataset.json")


@pytest.mark.slow
@pytest.mark.usefixtures("local_store")
def test_workers_and_a_cluster_give_the_trials_of_one_process(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(name: str, *settings: str) -> dict[str, bytes]:
        monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / name))
        folder, record, ended = search(
            config_for(corpus, "train.epochs=1", "tuning.trials=3", RATES, "run.threads=1", *settings)
        )
        assert len(ended) == 3
        return models(folder, record)

    alone = found("alone")
    assert sorted(alone) == ["trial-1", "trial-2", "trial-3"]
    assert found("workers", "run.workers=2") == alone
    assert found("together", "run.together=2") == alone
    with local_cluster() as cluster:
        workers = f"run.workers=dask://{cluster.address}"
        assert found("cluster", workers) == alone
        assert found("cluster-together", workers, "run.together=2") == alone


@pytest.mark.slow
@pytest.mark.usefixtures("local_store")
def test_a_diverging_trial_leaves_the_others_and_is_not_repeated(corpus: Path) -> None:
    rates = "tuning.space.train.learning_rate={kind: choices, values: [1e30, 0.002]}"
    unstable = ["train.clip_norm=1e30", "train.warmup_updates=0", "tuning.trials=2"]
    _, record, _ = search(config_for(corpus, rates, *unstable))
    states = {trial["settings"]["train.learning_rate"]: trial["state"] for trial in record["trials"]}
    assert states == {1e30: "failed", 0.002: "finished"}
    reasons = [trial["reason"] for trial in record["trials"] if trial["state"] == "failed"]
    assert "reduce train.learning_rate" in reasons[0]
    assert search(config_for(corpus, rates, *unstable))[2] == [], "it would diverge again"
    rates = "tuning.space.train.learning_rate={kind: choices, values: [1e30]}"
    with pytest.raises(UserError, match=r"no trial was trained to its end .*reduce train\.learning_rate"):
        search(config_for(corpus, rates, *unstable))


@pytest.mark.slow
@pytest.mark.usefixtures("local_store")
def test_a_trial_that_is_worse_than_the_median_is_ended_early(corpus: Path) -> None:
    rates = "tuning.space.train.learning_rate={kind: choices, values: [1e-12, 0.01]}"
    long = ["train.epochs=400", "train.patience_epochs=400", "train.warmup_updates=0", "tuning.trials=2"]
    for seed in range(20):  # one with which the better rate is drawn first
        config = config_for(corpus, rates, *long, "tuning.pruner_trials=1", f"tuning.seed={seed}")
        if first_rates(config, 1) == [0.01]:
            break
    _, record, _ = search(config)
    states = {trial["settings"]["train.learning_rate"]: trial["state"] for trial in record["trials"]}
    assert states == {0.01: "finished", 1e-12: "pruned"}
    (pruned,) = (trial for trial in record["trials"] if trial["state"] == "pruned")
    assert 2 <= pruned["epochs"] < 400


@pytest.mark.slow
@pytest.mark.usefixtures("local_store")
def test_a_trial_that_is_ended_early_leaves_the_other_of_its_process(corpus: Path) -> None:
    rates = "tuning.space.train.learning_rate={kind: choices, values: [1e-12, 0.01, 1e-11, 0.02]}"
    long = ["train.epochs=300", "train.patience_epochs=300", "train.warmup_updates=0", "tuning.trials=4"]
    for seed in range(99):  # one with which each process has one of the better rates
        config = config_for(
            corpus, rates, *long, "run.together=2", "tuning.pruner_trials=2", f"tuning.seed={seed}"
        )
        drawn = first_rates(config, 4)
        if max(drawn[:2]) > 1e-3 > min(drawn[:2]) and max(drawn[2:]) > 1e-3 > min(drawn[2:]):
            break
    _, record, _ = search(config)
    states = {trial["settings"]["train.learning_rate"]: trial["state"] for trial in record["trials"]}
    assert states == dict.fromkeys(drawn, "finished") | {min(drawn[2:]): "pruned"}
    (pruned,) = (trial for trial in record["trials"] if trial["state"] == "pruned")
    assert 2 <= pruned["epochs"] < 300


def first_rates(config: RunConfig, count: int) -> list[float]:
    """The learning rates of the first trials."""
    import tempfile

    from pipeline.tuning.study import SearchStudy

    with tempfile.TemporaryDirectory() as folder:
        trials = SearchStudy(Path(folder) / "study.db", config.tuning, False).next_trials()
        return [float(settings["train.learning_rate"]) for _, settings in islice(trials, count)]


KILLED = ["train.epochs=60", "train.patience_epochs=60", "tuning.trials=2", "tuning.pruner=none", RATES]


def begin(corpus: Path, data: Path, settings: Sequence[str]) -> "subprocess.Popen[bytes]":
    from tests.pipeline.training.test_loop import SMALL

    every = ["input.sample_rate=8000", *SMALL, *settings, "run.threads=1", "run.workers=2"]
    command = [sys.executable, "-m", "pipeline.cli.main", "tune", str(corpus), "--no-register"]
    command += [part for setting in every for part in ("--set", setting)]
    return subprocess.Popen(command, env={**os.environ, "WAVECAST_DATA": str(data)}, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_a_killed_search_goes_on_from_the_checkpoints_of_its_trials(corpus: Path, tmp_path: Path) -> None:
    killed = begin(corpus, tmp_path / "killed", KILLED)
    deadline = time.monotonic() + SECONDS
    while len(list((tmp_path / "killed" / "runs").glob("*/previous.pt"))) < 2:
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    children = psutil.Process(killed.pid).children(recursive=True)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    psutil.wait_procs(children, SECONDS)  # they end with their parent
    checkpoints = {path.parent.name for path in (tmp_path / "killed" / "runs").glob("*/last.pt")}
    assert len(checkpoints) == 2
    for name in ("killed", "whole"):
        done = begin(corpus, tmp_path / name, KILLED)
        errors = done.communicate(timeout=SECONDS)[1].decode()
        assert done.returncode == 0, errors
    found = {}
    for name in ("killed", "whole"):
        (folder,) = (tmp_path / name / "tuning").iterdir()
        found[name] = models(folder, read_search(folder))
    assert found["killed"] == found["whole"]
    assert {path.name for path in (tmp_path / "killed" / "runs").iterdir()} == checkpoints
