"""Layers in kernels, and an update of a training with them, counted on tensors without values."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from models.gpu_recurrent import cells, choice
from models.recurrent.cells import CELLS, Cell
from tests.helpers.networks.device_updates import device_update, training_of
from tests.helpers.networks.no_values import Operations, training_on_a_gpu, without_values

LAUNCHES = ["wavecast.recurrent_forward.default", "wavecast.recurrent_backward.default"]
RUN_LAYER = Cell.run_layer


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Tensors without values take the place of those of a GPU."""
    monkeypatch.setattr(choice, "why_torch", lambda *_: None)
    monkeypatch.setattr(choice, "why_untrusted", lambda *_: None)
    monkeypatch.setattr(cells, "multiprocessors", lambda _: 132)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)  # knows no such device
    return monkeypatch


def launches(operations: Operations) -> list[str]:
    return [each.split()[0] for each in operations.found if "wavecast.recurrent" in each]


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("tanh", 11),
        ("gru", 13),
        ("lstm", 12),
        ("chung2014-tanh", 11),
        ("chung2014-gru", 12),
        ("chung2014-lstm", 13),
        ("mingru", 6),
    ],
)
def test_a_layer_is_two_launches_and_a_few_products(name: str, most: int, on_gpu: pytest.MonkeyPatch) -> None:
    """Whatever the steps, with the gradients of all weights. Fewer are better, and more need a reason."""
    cell = CELLS[name]
    on_gpu.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    for steps in (2, 100):
        size = cell.size[0] if cell.size else 0
        layer = cell.make_layer(20, size).to("meta")
        state = tuple(torch.empty(1, 32, size, device="meta") for _ in cell.state_names)
        with Operations() as operations:
            inputs = torch.empty(32, steps, 20, device="meta")
            hidden, _ = cell.run_layer(layer, inputs, state if len(state) > 1 else state[0])
            torch.autograd.grad(hidden, list(layer.parameters()), torch.empty_like(hidden))
        assert launches(operations) == LAUNCHES
        assert len(operations.found) <= most


@pytest.mark.thinned(3)
@pytest.mark.parametrize("cell", ["chung2014-tanh", "chung2014-gru", "chung2014-lstm"])
def test_an_update_asks_for_no_value_and_launches_twice(
    tmp_path: Path, cell: str, on_gpu: pytest.MonkeyPatch
) -> None:
    training = training_of(tmp_path, f"model.cell={cell}")
    operations = without_values(on_gpu)
    on_gpu.setattr(Cell, "run_layer", RUN_LAYER)
    on_meta = training_on_a_gpu(training)
    with operations:
        update = device_update(on_meta)
        operations.found.clear()
        operations.crossings.clear()
        update()
    assert operations.crossings == []
    assert launches(operations) == LAUNCHES
