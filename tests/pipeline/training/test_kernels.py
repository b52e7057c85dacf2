"""The record of a run names the kernels of its recurrent layers and its head, and why they are torch's."""

import pytest
import torch

from pipeline.training.kernels import describe_kernels
from tests.helpers.builders import tiny_model


@pytest.mark.parametrize(
    ("cell", "device", "found", "head"),
    [
        ("gru", "cpu", "compiled", "compiled"),
        ("mingru", "cpu", "torch: the cell has no compiled form", "compiled"),
        ("lstm", "cuda", "torch: the device is cuda", "torch: the device is cuda"),
    ],
)
def test_the_kernels_of_a_training_are_named(cell: str, device: str, found: str, head: str) -> None:
    network = tiny_model(cell=cell).network
    facts = describe_kernels(network, torch.device(device), "float32")
    assert facts == {"recurrent_kernels": found, "head_kernels": head}
