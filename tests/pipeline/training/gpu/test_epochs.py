"""Trainings whose updates run on the device: here driven on the CPU, where they give the same numbers."""

from pathlib import Path

import pytest
import torch

from pipeline.config.loading import load_config
from pipeline.data.dataset import open_dataset
from pipeline.errors import TrainingDiverged
from pipeline.stages import prepare_stage
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.training import loop
from pipeline.training.gpu import epochs
from pipeline.training.gpu.epochs import why_host
from pipeline.training.loop import train
from pipeline.training.together import training as together
from tests.helpers.networks.device_updates import SMALL, training_of
from tests.helpers.sounds import write_noisy_tones

KINDS = {
    "adam": ("train.weight_noise=0.05", "model.dropout=0.2", "model.num_layers=2", "train.ema=0.9"),
    "rmsprop": ("train.optimizer=rmsprop", "model.covariance=autoregressive"),
    "chung2014": ("train.optimizer=chung2014-rmsprop", "model.cell=lstm", "train.state=reset"),
}


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU is taken for a GPU, with readings as often as the settings say."""
    monkeypatch.setattr(loop, "why_host", lambda training: None)
    monkeypatch.setattr(epochs, "SHORTEST_LOG_S", 0.0)
    monkeypatch.setattr(epochs, "SHORTEST_CHECKPOINT_S", 0.0)


def start(folder: Path, *settings: str) -> RunFolder:
    corpus = folder / "tones"
    if not corpus.exists():
        write_noisy_tones(corpus, count=10, seconds=0.5, sample_rate=8000)
    often = ("train.epochs=2", "train.checkpoint_updates=6", "train.log_updates=3")
    config = load_config(None, [f"corpus.inputs=[{corpus}]", *SMALL, *often, *settings])
    dataset = prepare_stage(config)
    return start_run(config, dataset, open_dataset(dataset, config.input).fingerprint)


def weights(run: RunFolder) -> dict[str, torch.Tensor]:
    return dict(torch.load(run.last_checkpoint, weights_only=True)["weights"])


@pytest.mark.usefixtures("on_device")
@pytest.mark.thinned(9)
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_training_ends_with_the_same_bits(
    tmp_path: Path, kind: str, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_is_whole(tmp_path, KINDS[kind], own_data_dir, monkeypatch)


def interrupted_is_whole(
    folder: Path, settings: tuple[str, ...], own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(folder, *settings)
    train(whole)
    monkeypatch.setenv("WAVECAST_DATA", str(own_data_dir / "again"))
    broken = start(folder, *settings)
    calls: list[int] = []

    def stop(covered: int) -> None:
        calls.append(covered)
        if len(calls) % 2 == 0:
            raise KeyboardInterrupt

    while broken.status().get("status") != "finished":
        try:
            train(broken, stop)
        except KeyboardInterrupt:
            broken.append(10**9, {"train/nats_per_step": 0.0})  # what a killed run wrote too much
    assert len(calls) > 6
    assert all(torch.equal(weights(broken)[name], part) for name, part in weights(whole).items())
    assert curve(broken) == curve(whole)


@pytest.mark.usefixtures("on_device")
@pytest.mark.thinned(9)
@pytest.mark.parametrize("kind", KINDS)
def test_trainings_together_have_the_bits_of_each_alone(
    tmp_path: Path, kind: str, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "why_host", lambda training: None)
    together_is_alone(tmp_path, KINDS[kind], own_data_dir, monkeypatch)


def together_is_alone(
    folder: Path, settings: tuple[str, ...], own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = [(f"train.seed={seed}", *settings) for seed in (1, 2)]
    alone = [start(folder, *own) for own in seeds]
    for run in alone:
        train(run)
    monkeypatch.setenv("WAVECAST_DATA", str(own_data_dir / "again"))
    runs = [start(folder, *own) for own in seeds]
    together.train_together(runs)
    for found, expected in zip(runs, alone, strict=True):
        assert all(torch.equal(weights(found)[name], part) for name, part in weights(expected).items())
        assert curve(found) == curve(expected)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_trainings_together_on_a_gpu_have_the_bits_of_each_alone(
    tmp_path: Path, kind: str, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "SHORTEST_LOG_S", 0.0)
    monkeypatch.setattr(epochs, "SHORTEST_CHECKPOINT_S", 0.0)
    together_is_alone(tmp_path, (*KINDS[kind], "train.device=cuda"), own_data_dir, monkeypatch)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_training_on_a_gpu_ends_with_the_same_bits(
    tmp_path: Path, kind: str, own_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "SHORTEST_LOG_S", 0.0)
    monkeypatch.setattr(epochs, "SHORTEST_CHECKPOINT_S", 0.0)
    interrupted_is_whole(tmp_path, (*KINDS[kind], "train.device=cuda"), own_data_dir, monkeypatch)


def curve(run: RunFolder) -> list[tuple[int, float]]:
    name = "train/nats_per_step"
    return [(line["step"], line["metrics"][name]) for line in run.lines() if name in line["metrics"]]


def test_training_ends_where_the_host_ends(
    tmp_path: Path, own_data_dir: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = start(tmp_path)
    train(host)
    request.getfixturevalue("on_device")
    monkeypatch.setenv("WAVECAST_DATA", str(own_data_dir / "again"))
    ours = start(tmp_path)
    train(ours)
    assert host.status()["update_loop"] == "host: the device is cpu"
    assert ours.status()["update_loop"] == "on the device, without a graph"
    for name, part in weights(host).items():
        torch.testing.assert_close(weights(ours)[name], part, rtol=0, atol=1e-5)
    assert dict(curve(ours)) == pytest.approx(dict(curve(host)), rel=1e-4)


@pytest.mark.usefixtures("on_device")
def test_a_training_begun_on_the_device_ends_on_the_host(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The checkpoints are the same."""
    run = start(tmp_path)

    def stop(covered: int) -> None:
        if covered:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(run, stop)
    request.getfixturevalue("monkeypatch").undo()
    train(run)
    assert run.status()["status"] == "finished"


@pytest.mark.slow
@pytest.mark.usefixtures("on_device")
def test_lasting_losses_that_are_not_finite_end_the_training(tmp_path: Path) -> None:
    """After each return to the checkpoint the learning rate is half; then it fails in one sentence."""
    too_high = ("train.learning_rate=1e30", "train.clip_norm=1e30", "train.warmup_updates=0")
    run = start(tmp_path, *too_high, "train.epochs=20")
    with pytest.raises(TrainingDiverged, match=r"after 3 returns .* reduce train.learning_rate"):
        train(run)
    assert run.status()["status"] == "failed"


def test_the_host_takes_part_where_it_must(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says so where there is a GPU, and the record of the run does."""
    training = training_of(tmp_path)
    assert why_host(training) == "the device is cpu"
    training.device = torch.device("cuda", 0)
    assert why_host(training) == "the rows do not fit on the device"
    capsys.readouterr()
    loop.note_host(training, "the rows do not fit on the device")
    assert training.folder.status()["update_loop"] == "host: the rows do not fit on the device"
    line = "wavecast: the host takes part in each update: the rows do not fit on the device\n"
    assert capsys.readouterr().err == line
