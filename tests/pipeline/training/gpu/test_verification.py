"""Kernels that fail or differ on a user's device are noticed, and the update leaves no trace."""

import pytest

from tests.helpers.networks.triton_programs import run_interpreted

PROGRAM = """
import tempfile
from pathlib import Path
import torch
from models.fused.choice import torch_kernels
from models.gpu_kernels import heads, operations
from pipeline.training.gpu.verification import why_untrusted
from tests.helpers.networks.device_updates import device_update, training_of

operations.has_kernels = lambda _: operations._switch["on"]
settings = "train.bptt_steps=5", "train.batch_size=2", "model.output_dropout=0.1", "train.ema=0.9"
update = device_update(training_of(Path(tempfile.mkdtemp()), *settings, "train.optimizer=rmsprop"))
before = [part.clone() for part in update.tensors()]
right = heads._mixture_loss

def doubled(*arguments):
    loss, slopes = right(*arguments)
    return loss, 2 * slopes

def failing(*arguments):
    raise RuntimeError("out of resources\\nand much more")

with torch_kernels():
    for kernel, reason in (
        (right, None),
        (doubled, "they differ from PyTorch's operations by"),
        (failing, "out of resources"),
    ):
        heads._mixture_loss = kernel
        found = why_untrusted(update)
        assert found == reason or found.startswith(reason + " "), found
        assert all(map(torch.equal, update.tensors(), before))
operations.turn_off()
assert why_untrusted(update) is None
print("equal")
"""


@pytest.mark.slow
def test_kernels_that_fail_or_differ_are_noticed() -> None:
    run_interpreted(PROGRAM)
