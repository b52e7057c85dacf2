"""Trainings in one process give each model the bits that it gets alone, whoever its neighbours are."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from pipeline.config.run import RunConfig
from pipeline.tracking.run_folder import RunFolder
from pipeline.training import loop
from pipeline.training.loop import train
from pipeline.training.together.training import train_together
from tests.helpers.sounds import write_noisy_tones
from tests.pipeline.training.test_loop import config_for, start, weights

SEEDS = ["train.seed=1"], ["train.seed=2", "train.learning_rate=0.01"], ["train.seed=3", "train.epochs=2"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=10, seconds=0.5, sample_rate=8000)


def configs_for(corpus: Path, *shared: str) -> list[RunConfig]:
    return [config_for(corpus, *shared, *own) for own in SEEDS]


def trained_alone(
    configs: Sequence[RunConfig], data: Path, monkeypatch: pytest.MonkeyPatch
) -> list[RunFolder]:
    with monkeypatch.context() as patch:
        patch.setenv("WAVECAST_DATA", str(data))
        runs = [start(config) for config in configs]
        for run in runs:
            train(run)
    return runs


def assert_equal(found: RunFolder, expected: RunFolder) -> None:
    ours, theirs = weights(found), weights(expected)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert found.status()["status"] == "finished"
    assert (found.model / "model.safetensors").read_bytes() == (
        expected.model / "model.safetensors"
    ).read_bytes()
    curves = [
        [(line["step"], line["metrics"].get("train/nats_per_step")) for line in run.lines()]
        for run in (found, expected)
    ]
    assert curves[0] == curves[1]


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    "settings",
    [
        ["model.cell=gru", "train.batch_size=1", "train.ema=0.9"],
        [
            "model.cell=chung2014-lstm",
            "model.num_layers=2",
            "model.layer_norm=true",
            "train.weight_noise=0.05",
        ],
        ["model.cell=tanh", "model.num_layers=2", "model.dropout=0.3", "model.output_dropout=0.2"],
        ["model.covariance=autoregressive", "train.loss=discrete", "train.state=reset"],
        ["model.convolutions=[[8,4,2]]", "model.learned_initial_state=true"],
        ["model.cell=mingru", "train.optimizer=chung2014-rmsprop"],
        ["model.architecture=encoder-decoder", "train.scheduled_sampling=0.5"],
    ],
    ids=lambda settings: settings[0],
)
def test_each_gets_the_bits_that_it_gets_alone(
    corpus: Path, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = configs_for(corpus, *settings)
    expected = trained_alone(configs, tmp_path / "alone", monkeypatch)
    runs = [start(config) for config in configs]
    train_together(runs)
    for run, alone in zip(runs, expected, strict=True):
        assert_equal(run, alone)


def test_interrupted_trainings_resume_beside_others(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = configs_for(corpus, "train.weight_noise=0.05", "train.checkpoint_updates=5")
    expected = trained_alone(configs, tmp_path / "alone", monkeypatch)
    runs = [start(config) for config in configs]
    for folders, checkpoints in ((runs[:2], 3), (runs[1:], 4), (runs, 6)):
        calls: list[int] = []

        def stop(number: int, covered: int, calls: list[int] = calls, most: int = checkpoints) -> None:
            calls.append(covered)
            if len(calls) == most:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_together(folders, stop)
    train_together(runs)
    for run, alone in zip(runs, expected, strict=True):
        assert_equal(run, alone)


def test_one_that_fails_ends_alone(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    configs = configs_for(corpus)
    expected = trained_alone(configs[1:], tmp_path / "alone", monkeypatch)
    diverging = config_for(corpus, "train.learning_rate=1e30", "train.clip_norm=1e30")
    runs = [start(config) for config in (diverging, *configs[1:])]
    ended: list[int] = []
    train_together(runs, on_end=ended.append)
    status = runs[0].status()
    assert status["status"] == "failed"
    assert status["diverged"]
    assert f"{runs[0].path.name}: the loss stays non-finite" in capfd.readouterr().err
    assert sorted(ended) == [0, 1, 2]
    for run, alone in zip(runs[1:], expected, strict=True):
        assert_equal(run, alone)


def test_a_damaged_run_and_one_that_is_trained_elsewhere_do_not_stop_the_others(
    corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = [start(config) for config in configs_for(corpus)]
    runs[1].last_checkpoint.write_bytes(b"damaged")
    with loop.alone(runs[2]):
        train_together(runs)
    reports = capfd.readouterr().err
    assert f"{runs[1].path.name}: " in reports
    assert "damaged checkpoint" in reports
    assert f"{runs[2].path.name}: another process is training this run" in reports
    assert [run.status()["status"] for run in runs] == ["finished", "failed", "running"]


def test_a_training_ends_after_its_epoch_on_request(corpus: Path) -> None:
    runs = [start(config) for config in configs_for(corpus, "train.checkpoint_updates=5")]
    seen: list[int] = []

    def request(number: int, covered: int) -> None:
        seen.append(number)
        if seen.count(0) == 2:
            runs[0].end_request.touch()

    train_together(runs, request)
    assert runs[0].status()["status"] == "running"
    assert not runs[0].end_request.exists()
    position = torch.load(runs[0].last_checkpoint, weights_only=True)["position"]
    assert (position["epoch"], position["update"]) == (1, 0)
    assert [run.status()["status"] for run in runs[1:]] == ["finished", "finished"]
    train_together(runs)
    assert runs[0].status()["status"] == "finished"


def test_the_time_of_all_is_that_of_the_process(corpus: Path) -> None:
    runs = [start(config) for config in configs_for(corpus)]
    began = time.monotonic()
    train_together(runs)
    spent_s = time.monotonic() - began
    assert sum(run.status()["summary"]["elapsed_s"] for run in runs) <= spent_s
