"""A replayed update gives the bits of the update as written, and a resumed training those of an unbroken one.

Without a GPU, a stand-in plays the part of the graph. It calls the update as recording does, several times
before the first replay, and then once for each replay.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models.cuda_graphs.step import WARM_UP_CALLS
from pipeline.training.gpu import captured
from pipeline.training.gpu.captured import CapturedUpdate, seed_draws
from pipeline.training.step import Training
from tests.helpers.networks.device_updates import device_update, training_of, weights_of
from tests.helpers.networks.recorded_graphs import Recorder

DRAWS = ("train.weight_noise=0.05", "model.num_layers=2", "model.dropout=0.2", "model.output_dropout=0.1")


class UpdateRecorder(Recorder):
    """Records an update, which has no arguments and returns nothing."""

    def __call__(self, steps: Callable[..., Any], places: tuple[torch.Tensor, ...]) -> Callable[..., Any]:
        self.captures += 1
        for _ in range(WARM_UP_CALLS):
            steps()

        def replay() -> None:
            self.replays += 1
            steps()

        return replay


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = UpdateRecorder()
    monkeypatch.setattr(captured, "can_capture", lambda _: True)
    monkeypatch.setattr(captured, "record", found)
    return found


def run(training: Training, updates: int, epoch: int = 0) -> CapturedUpdate:
    captured_update = CapturedUpdate(device_update(training, epoch))
    for _ in range(updates):
        captured_update()
        training.position.update += 1
        training.position.total_updates += 1
    captured_update.update.read()
    return captured_update


@pytest.mark.thinned(9)
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "chung2014-rmsprop"])
def test_replays_have_the_bits_of_the_update_as_written(
    tmp_path: Path, optimizer: str, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording leaves no trace in weights, moments, states, counters or random numbers."""
    settings = (f"train.optimizer={optimizer}", "train.ema=0.9", *DRAWS)
    ours, plain = training_of(tmp_path, *settings), training_of(tmp_path, *settings)
    replayed = run(ours, 8)
    assert replayed.is_replayed
    assert (recorder.captures, recorder.replays) == (1, 8)
    monkeypatch.setattr(captured, "can_capture", lambda _: False)
    written = run(plain, 8)
    assert not written.is_replayed
    assert all(map(torch.equal, replayed.update.tensors(), written.update.tensors()))
    assert ours.position.window == plain.position.window


def test_recording_near_the_end_of_an_epoch_reads_no_foreign_row(tmp_path: Path, recorder: Recorder) -> None:
    training = training_of(tmp_path)
    training.position.update = training.position.total_updates = training.updates_per_epoch - 1
    before = weights_of(training)
    found = CapturedUpdate(device_update(training))
    assert all(map(torch.equal, weights_of(training), before))
    assert float(found.update.register.row) == training.position.update


def test_a_failed_recording_is_reported_and_updates_run(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(step: Callable[..., Any], places: tuple[torch.Tensor, ...]) -> Any:
        step()
        raise RuntimeError("CUDA error: not permitted\nand much more")

    monkeypatch.setattr(captured, "record", fail)
    ours, plain = training_of(tmp_path), training_of(tmp_path)
    with pytest.warns(UserWarning, match="without a CUDA graph of its update: CUDA error: not permitted$"):
        run(ours, 3)
    monkeypatch.setattr(captured, "can_capture", lambda _: False)
    run(plain, 3)
    assert all(map(torch.equal, weights_of(ours), weights_of(plain)))


def test_draws_depend_on_the_seed_and_the_update_alone() -> None:
    def drawn(seed: int, update: int) -> list[float]:
        seed_draws(torch.device("cpu"), seed, update)
        return list(torch.randn(3).tolist())

    first = drawn(1, 5)
    assert len({tuple(drawn(seed, update)) for seed in (1, 2) for update in (5, 6)}) == 4
    assert drawn(1, 5) == first


@pytest.mark.gpu
def test_on_a_gpu_an_update_is_recorded_without_a_warning(tmp_path: Path) -> None:
    training = training_of(tmp_path, "train.device=cuda")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert CapturedUpdate(device_update(training)).is_replayed
