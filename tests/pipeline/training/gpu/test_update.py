"""An update on the device is the update of the host's loop; it stays in its memory, and can skip itself."""

import math
from pathlib import Path

import pytest
import torch

from pipeline.training.gpu.settling import SKIPPED
from pipeline.training.step import Training
from tests.helpers.networks.device_updates import device_update, run_on_host, training_of, weights_of

KINDS = {
    "diagonal": (),
    "autoregressive, exact": ("model.covariance=autoregressive", "train.loss=discrete"),
    "full, lstm": ("model.covariance=full", "model.cell=lstm", "model.learned_initial_state=true"),
    "tanh, reset": ("model.cell=tanh", "train.state=reset", "train.schedule=linear"),
    "front-end": ("model.convolutions=[[8,4,2]]", "model.num_layers=2", "model.layer_norm=true"),
    "rmsprop": ("train.optimizer=rmsprop", "train.weight_decay=0.01", "train.ema=0.9"),
    "chung2014": ("train.optimizer=chung2014-rmsprop", "model.cell=chung2014-gru"),
    "adamw": ("train.optimizer=adamw", "train.weight_decay=0.01", "train.clip_norm=0.1"),
}
OPTIMISERS = ("adam", "adamw", "rmsprop", "chung2014-rmsprop")


@pytest.mark.thinned(6)
@pytest.mark.parametrize("kind", KINDS)
def test_updates_on_the_device_are_those_of_the_host(tmp_path: Path, kind: str) -> None:
    host, ours = (training_of(tmp_path, *KINDS[kind], "train.warmup_updates=5") for _ in range(2))
    run_on_host(host)
    update = device_update(ours)
    for _ in range(ours.updates_per_epoch):
        update()
    update.read()
    torch.testing.assert_close(weights_of(ours), weights_of(host), rtol=0, atol=2e-6)
    torch.testing.assert_close(list(update.state.parts), list(host.position.state), rtol=0, atol=1e-5)
    assert ours.position.window == pytest.approx(host.position.window, rel=1e-4)
    if host.average and ours.average:
        assert ours.average.updates == host.average.updates
        torch.testing.assert_close(ours.average.weights, host.average.weights, rtol=0, atol=2e-6)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("optimizer", OPTIMISERS)
def test_all_that_an_update_changes_stays_where_it_is(tmp_path: Path, optimizer: str) -> None:
    """A graph writes to the places that it recorded: weights, gradients, moments, states, counters."""
    training = training_of(tmp_path, f"train.optimizer={optimizer}", "train.ema=0.9")
    update = device_update(training)
    places = [part.data_ptr() for part in (*update.tensors(), *update.gradients.parts)]
    before = weights_of(training)
    for number in range(20):
        if number == training.updates_per_epoch:
            break
        update()
    assert [part.data_ptr() for part in (*update.tensors(), *update.gradients.parts)] == places
    pairs = zip(update.weights, update.gradients.parts, strict=True)
    assert all(weight.grad is each for weight, each in pairs)
    assert not any(map(torch.equal, weights_of(training), before))


@pytest.mark.parametrize("optimizer", OPTIMISERS)
def test_a_loss_that_is_not_finite_changes_nothing_but_the_count(tmp_path: Path, optimizer: str) -> None:
    training = training_of(tmp_path, f"train.optimizer={optimizer}", "train.weight_decay=0", "train.ema=0.9")
    update = device_update(training)
    for _ in range(3):
        update()
    kept = _kept(training)
    mean = training.normaliser.mean.clone()
    training.normaliser.mean.fill_(math.nan)
    update()
    update()
    assert all(map(torch.equal, _kept(training), kept))
    assert float(update.register.sums[SKIPPED]) == 2
    training.normaliser.mean.copy_(mean)
    update()
    assert not all(map(torch.equal, _kept(training), kept))
    assert all(torch.isfinite(part).all() for part in update.tensors())
    update.read()
    position = training.position
    assert (position.skipped, position.skipped_in_row, position.window[3]) == (2, 0, 4)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_updates_on_a_gpu_are_those_of_the_cpu(tmp_path: Path, kind: str) -> None:
    host = training_of(tmp_path, *KINDS[kind])
    ours = training_of(tmp_path, *KINDS[kind], "train.device=cuda")
    run_on_host(host)
    update = device_update(ours)
    for _ in range(ours.updates_per_epoch):
        update()
    update.read()
    assert ours.position.window == pytest.approx(host.position.window, rel=1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_updates_on_a_gpu_never_wait(tmp_path: Path, kind: str) -> None:
    training = training_of(tmp_path, *KINDS[kind], "train.device=cuda", "train.bptt_steps=20")
    update = device_update(training)
    update()  # chooses algorithms
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(20):
            update()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def _kept(training: Training) -> list[torch.Tensor]:
    """Copies of weights, averages, and the state of the optimiser."""
    moments = [part for state in training.optimizer.state.values() for part in state.values()]
    average = list(training.average.weights.values()) if training.average else []
    return [part.detach().clone() for part in (*training.network.parameters(), *moments, *average)]
