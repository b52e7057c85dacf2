"""Layers on a GPU run in kernels that apply and agree with torch; otherwise in torch, with a reason."""

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from models.fused.cells import COMPILED_CELLS
from models.fused.choice import torch_kernels
from models.fused.layer import run_layer as run_compiled_layer
from models.gpu_kernels import operations
from models.gpu_recurrent import choice
from models.gpu_recurrent.choice import largest_size, run_kernels, why_torch, why_untrusted
from models.recurrent.cells import CELLS
from tests.helpers.networks.compiled_layers import case

GPU = torch.device("cuda")
KINDS = [name for name, cell in CELLS.items() if cell.kernels]
B, T, D, H = 3, 4, 5, 6


@pytest.fixture
def can_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_can_compile", lambda: True)


@pytest.mark.usefixtures("can_compile")
@pytest.mark.parametrize(
    ("kind", "device", "precision", "size", "reason"),
    [
        (None, GPU, torch.float32, 10, "no kernel"),
        ("GRU", torch.device("cpu"), torch.float32, 10, "the device is cpu"),
        ("GRU", GPU, torch.float64, 10, "the weights are float64"),
        ("GRU", GPU, torch.float32, 296, "296 units are more than 295"),
        ("LSTM", GPU, torch.float32, 257, "257 units are more than 256"),
    ],
)
def test_what_is_not_covered_has_a_reason(
    kind: str | None, device: torch.device, precision: torch.dtype, size: int, reason: str
) -> None:
    assert reason in (why_torch(kind, device, precision, size) or "")


@pytest.mark.usefixtures("can_compile")
def test_the_papers_layers_are_covered_unless_torch_is_requested() -> None:
    for name in KINDS:
        cell = CELLS[name]
        assert cell.size is not None
        size = cell.size[0]
        assert why_torch(cell.kernels, GPU, torch.float32, size) is None
        assert size <= largest_size(cell.kernels or "")
        with torch_kernels():
            assert why_torch(cell.kernels, GPU, torch.float32, size) == "torch's kernels were requested"


def test_a_machine_that_cannot_compile_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_can_compile", lambda: False)
    assert "needs a C compiler" in (why_torch("GRU", GPU, torch.float32, 10) or "")


Found = tuple[Tensor, Tensor | None]


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """On the CPU the compiled loops, which have the kernels' arguments, take their place."""

    def run_layer(kind: str, *others: Any) -> Found:
        return run_compiled_layer(COMPILED_CELLS[kind], *others)

    monkeypatch.setattr(choice, "run_layer", run_layer)
    monkeypatch.setattr(choice, "why_torch", lambda *_: None)
    monkeypatch.setattr(choice, "_found", {})
    return monkeypatch


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("name", [name for name in KINDS if CELLS[name].compiled])
def test_a_layer_whose_kernels_agree_with_torch_runs_in_them(name: str) -> None:
    cell, layer, inputs, state = case(name, B, T, D, H)
    parts = tuple(part[None] for part in state)
    given = parts if len(parts) > 1 else parts[0]
    found = run_kernels(cell.kernels or "", layer, inputs, given)
    assert found is not None
    torch.testing.assert_close(found, layer(inputs, given), rtol=0, atol=1e-5)
    assert run_kernels(cell.kernels or "", layer, inputs[:, :1], given) is None, "a single step is torch's"
    with torch.inference_mode():
        again = run_kernels(cell.kernels or "", layer, inputs, given)
    assert again is not None
    assert torch.equal(again[0], found[0])


@pytest.mark.parametrize("wrong", ["outputs", "gradients"])
def test_kernels_that_differ_from_torchs_are_not_used(on_cpu: pytest.MonkeyPatch, wrong: str) -> None:
    """A warning says so once for a layer's size."""
    right = choice.run_layer

    def run_layer(*arguments: Any) -> Found:
        hidden, last = right(*arguments)
        factor = torch.tensor(1.1)
        return hidden * factor if wrong == "outputs" else hidden + (hidden - hidden.detach()) * 0.1, last

    on_cpu.setattr(choice, "run_layer", run_layer)
    _, layer, inputs, state = case("gru", B, T, D, H)
    with pytest.warns(UserWarning, match="without Triton's kernels: they differ from torch's by 0.1"):
        assert run_kernels("GRU", layer, inputs, state[0][None]) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run_kernels("GRU", layer, inputs, state[0][None]) is None


def test_kernels_that_fail_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here they fail: no GPU drives them."""
    monkeypatch.setattr(choice, "why_torch", lambda *_: None)
    monkeypatch.setattr(choice, "_found", {})
    _, layer, inputs, state = case("gru", B, T, D, H)
    with pytest.warns(UserWarning, match="recurrent layers run without Triton's kernels"):
        assert run_kernels("GRU", layer, inputs, state[0][None]) is None
    assert why_untrusted("GRU", layer, False, B)


@pytest.mark.usefixtures("on_cpu")
def test_the_comparison_leaves_weights_gradients_and_random_numbers_alone() -> None:
    _, layer, _, _ = case("chung2014-gru", B, T, D, H)
    before, drawn = copy.deepcopy(layer.state_dict()), torch.get_rng_state()
    assert why_untrusted("RESET_BEFORE_GRU", layer, False, B) is None
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(part, before[name]) for name, part in layer.state_dict().items())
    assert all(weight.grad is None for weight in layer.parameters())
