"""Whole updates by kernels, in Triton's interpreter, against the operations that define them."""

import re

import pytest

from tests.helpers.networks.triton_programs import compile_for_a_gpu, run_interpreted, run_on_a_gpu

PROGRAM = """
import math, tempfile
from pathlib import Path
import torch
from models.fused.choice import torch_kernels
from models.gpu_kernels import operations
from tests.helpers.networks.device_updates import device_update, training_of
from tests.helpers.networks.no_values import Operations

short = ("train.bptt_steps=5", "train.batch_size=2", "model.hidden_size=5", "train.warmup_updates=3")
folder = Path(tempfile.mkdtemp())
trainings = [training_of(folder, *short, *SETTINGS, "train.device=DEVICE") for _ in range(2)]
torch.set_float32_matmul_precision("highest")  # of a GPU, `begin` chose a lower one
ours, expected = (device_update(training) for training in trainings)
means = [training.normaliser.mean for training in trainings]
kept = means[0].clone()
last = trainings[0].updates_per_epoch - 1
with torch_kernels():
    for row in (0, 1, last // 2, last, 2, 3):
        for mean in means:
            mean.copy_(math.nan if row == last // 2 else kept)  # that update is skipped
        for update, by_kernels in ((ours, True), (expected, False)):
            operations.has_kernels = lambda _, by_kernels=by_kernels: by_kernels
            update.register.row.fill_(row)
            with Operations("DEVICE") as used:
                update()
            kernels = {each.split(".")[1] for each in used.found if each.startswith("wavecast.")}
            assert kernels == (KERNELS if by_kernels else set())
        assert expected.register.found_inf == (row == last // 2)
        for one, other in zip(ours.tensors(), expected.tensors()):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)
print("equal")
"""

COMPILATION = """
import tempfile
from pathlib import Path
from models.fused.choice import torch_kernels
from models.gpu_kernels import operations
from tests.helpers.networks.device_updates import device_update, training_of, training_on_notes

operations.has_kernels = lambda _: True
make = training_on_notes if "input.kind=piano-roll" in SETTINGS else training_of
update = device_update(make(Path(tempfile.mkdtemp()), *SETTINGS))
with torch_kernels():
    update()
"""

KINDS = {
    "full, rmsprop, decay, average": (
        "model.covariance=full",
        "train.optimizer=rmsprop",
        "train.weight_decay=0.01",
        "train.ema=0.9",
    ),
    "autoregressive, exact, lstm, chung2014": (
        "model.covariance=autoregressive",
        "train.loss=discrete",
        "model.cell=lstm",
        "train.optimizer=chung2014-rmsprop",
    ),
    "diagonal, adam, learned start": ("model.learned_initial_state=true", "model.num_layers=2"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_updates_by_kernels_are_those_of_the_operations(kind: str) -> None:
    """Whole and partial chunks, and an update that is skipped, with all that an update changes."""
    run_interpreted(program_of(kind, "cpu"))


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_updates_by_kernels_on_a_gpu_are_those_of_the_operations(kind: str) -> None:
    run_on_a_gpu(program_of(kind, "cuda"))


def program_of(kind: str, device: str) -> str:
    kernels = {"gather_batch", "mixture_loss", "settle_update"}
    if "optimizer" in str(KINDS[kind]):
        kernels.add("rmsprop_changes")
    names = {"SETTINGS": repr(KINDS[kind]), "KERNELS": repr(kernels), "DEVICE": device}
    return re.sub("|".join(names), lambda found: names[found[0]], PROGRAM)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("model.covariance=full", "model.mixture_components=20", "train.loss=discrete"),
        ("model.covariance=full", "model.mixture_components=20", "train.optimizer=chung2014-rmsprop"),
        ("model.covariance=diagonal", "model.mixture_components=20", "train.loss=discrete"),
        ("model.covariance=diagonal", "model.mixture_components=20", "train.weight_decay=0.01"),
        ("model.covariance=autoregressive", "model.mixture_components=8", "model.autoregressive_order=32"),
        ("model.covariance=autoregressive", "train.loss=discrete", "train.optimizer=rmsprop"),
        ("input.kind=spectrogram", "train.optimizer=rmsprop", "train.weight_decay=0.01"),
        ("input.kind=piano-roll", "model.head=bernoulli"),
    ],
)
def test_the_kernels_of_an_update_compile_for_an_h100(settings: tuple[str, ...]) -> None:
    """As they are launched, within the memory that a multiprocessor has."""
    shared = compile_for_a_gpu(COMPILATION.replace("SETTINGS", repr(settings)))
    assert len(shared) == 3 + ("rmsprop" in str(settings))
    assert max(map(int, shared)) <= 227 * 1024
