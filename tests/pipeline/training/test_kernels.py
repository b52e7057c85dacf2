"""The record of a run names the kernels of its recurrent layers and its head, and why they are torch's."""

from pathlib import Path

import pytest
import torch

from models.gpu_kernels import operations
from pipeline.config.run import RunConfig
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.begin import begin
from pipeline.training.kernels import describe_kernels
from tests.helpers.builders import dataset_of, noise, tiny_model


@pytest.mark.parametrize(
    ("cell", "device", "steps", "found", "head"),
    [
        ("gru", "cpu", 64, "compiled", "compiled"),
        ("mingru", "cpu", 64, "torch: the cell has no compiled form", "compiled"),
        ("gru", "cpu", 15, "torch: an update of 15 steps is too short for compiled loops", "compiled"),
        ("lstm", "cuda", 64, "Triton", "Triton"),
        ("mingru", "cuda", 64, "Triton", "Triton"),
        ("gru", "mps", 64, "torch: the device is mps", "torch: the device is mps"),
    ],
)
def test_the_kernels_of_a_training_are_named(
    cell: str, device: str, steps: int, found: str, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_can_compile", lambda: True)
    network = tiny_model(cell=cell).network
    facts = describe_kernels(network, torch.device(device), "float32", 1, steps)
    assert facts == {"recurrent_kernels": found, "head_kernels": head}


@pytest.mark.parametrize(("cell", "lines"), [("gru", 0), ("mingru", 1)])
def test_a_training_reports_once_what_runs_in_torchs_kernels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cell: str, lines: int
) -> None:
    model = {"cell": cell, "hidden_size": 8, "mixture_components": 2}
    config = RunConfig.model_validate({"model": model, "train": {"device": "cpu"}})
    splits = {"train": [noise(40_000)], "valid": [noise(400)]}
    begin(config, dataset_of(tmp_path / "data", splits, config.input), RunFolder(tmp_path), lambda _: None)
    line = (
        "wavecast: training of the recurrent layers runs in PyTorch's kernels: the cell has no compiled form"
    )
    assert capsys.readouterr().err.splitlines() == [line] * lines
