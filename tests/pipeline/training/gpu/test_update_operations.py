"""An update on the device asks for no value, crosses to no other device, and is the same for every row."""

from pathlib import Path

import pytest
import torch

from models.fused.choice import torch_kernels
from pipeline.training.begin import epoch_plan
from tests.helpers.networks.device_updates import device_update, training_of, training_on_notes
from tests.helpers.networks.no_values import Operations, training_on_a_gpu, without_values

NOTES = "input.kind=piano-roll"

KINDS = {
    "diagonal": (),
    "autoregressive": ("model.covariance=autoregressive",),
    "full": ("model.covariance=full",),
    "exact": ("train.loss=discrete",),
    "full, exact": ("model.covariance=full", "train.loss=discrete"),
    "autoregressive, exact": ("model.covariance=autoregressive", "train.loss=discrete"),
    "notes": (NOTES, "model.head=bernoulli"),
    "lstm": ("model.cell=lstm",),
    "tanh": ("model.cell=tanh",),
    "noise, dropout, average": ("train.weight_noise=0.1", "model.output_dropout=0.1", "train.ema=0.9"),
    "rmsprop": ("train.optimizer=rmsprop",),
    "chung2014": ("train.optimizer=chung2014-rmsprop", "model.learned_initial_state=true"),
}


def operations_of(folder: Path, monkeypatch: pytest.MonkeyPatch, *settings: str) -> Operations:
    """Of one update on tensors without values, where a question for one fails."""
    training = (training_on_notes if NOTES in settings else training_of)(folder, *settings)
    operations = without_values(monkeypatch)
    on_gpu = training_on_a_gpu(training)
    with operations:
        update = device_update(on_gpu)
        operations.found.clear()
        operations.crossings.clear()
        update()
    return operations


@pytest.mark.thinned(4)
@pytest.mark.parametrize("kind", KINDS)
def test_no_value_is_asked_for_and_nothing_crosses(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert operations_of(tmp_path, monkeypatch, *KINDS[kind]).crossings == []


MOST = {
    "diagonal": 17,
    "autoregressive": 17,
    "full": 17,
    "exact": 20,
    "autoregressive, exact": 20,
    "full, exact": 20,
    "notes": 17,
    "lstm": 19,
    "rmsprop": 18,
    "chung2014": 22,
    "noise, dropout, average": 30,
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("kind", "most"), MOST.items())
def test_operations_outside_the_recurrent_layers_do_not_become_more(
    tmp_path: Path, kind: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of today: fewer are better, and more need a reason."""
    assert len(operations_of(tmp_path, monkeypatch, *KINDS[kind]).found) <= most


def test_asking_and_crossing_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = torch.empty(3, device="meta")
    for ask in (torch.Tensor.tolist, torch.Tensor.item, bool, float, torch.nonzero, torch.Tensor.numpy):
        with pytest.raises((RuntimeError, NotImplementedError, TypeError)):
            ask(empty[0])
    operations = without_values(monkeypatch)
    with operations:
        empty.copy_(torch.zeros(3))
    assert operations.crossings == ["aten.copy_.default"]


@pytest.mark.thinned(9)
@pytest.mark.parametrize("state", ["carried", "reset"])
@pytest.mark.parametrize("kind", ["diagonal", "autoregressive", "full"])
def test_every_row_takes_the_same_operations(tmp_path: Path, kind: str, state: str) -> None:
    """Whole and partial chunks, fresh and empty lanes: shapes and order do not depend on values."""
    training = training_of(tmp_path, *KINDS[kind], f"train.state={state}", "train.bptt_steps=150")
    plan = epoch_plan(training, 0)
    assert (plan.chunks(0, len(plan)).recording < 0).any()
    update, found = device_update(training), []
    with torch_kernels():
        update()
        training.position.update = 0
        update.place()
        for _ in range(len(plan)):
            operations = Operations("cpu")
            with operations:
                update()
            found.append(operations.found)
    assert len(found[0]) > 50
    assert all(each == found[0] for each in found)
