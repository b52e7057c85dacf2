"""A framework that is missing, unknown or named with a wrong interpreter is one line with the remedy."""

import importlib.util
import sys
from pathlib import Path

import pytest

from pipeline.benchmarks.frameworks.methods import FRAMEWORKS, interpreter_environment
from tests.helpers.cli import caller, refused


def test_mistakes_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wavecast = caller(monkeypatch, capsys)
    refused(wavecast("bench", "frameworks", "--framework", "kears"), 2, "keras-jax", "neuralforecast")
    refused(wavecast("bench", "frameworks", "--framework", "gluonts=/no/python"), 2, "/no/python")
    refused(wavecast("bench", "frameworks", "--framework", "gluonts=/bin/false"), 2, "/bin/false")
    refused(wavecast("bench", "frameworks", "--rounds", "0"), 2, "--rounds must be above 0")


@pytest.mark.skipif(importlib.util.find_spec("neuralforecast") is not None, reason="it is installed")
def test_a_missing_framework_is_named_with_its_installation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wavecast = caller(monkeypatch, capsys)
    remedy = "pip install 'wavecast[frameworks]'"
    refused(wavecast("bench", "frameworks", "--framework", "neuralforecast"), 2, "not installed here", remedy)


def test_another_interpreter_finds_the_workers_and_none_of_the_packages_beside_wavecast(
    tmp_path: Path,
) -> None:
    method = FRAMEWORKS["gluonts"]
    own = interpreter_environment(method, sys.executable, tmp_path)
    assert not list(tmp_path.iterdir())
    other = interpreter_environment(method, "/other/python", tmp_path)
    assert own["CUDA_VISIBLE_DEVICES"] == other["CUDA_VISIBLE_DEVICES"] == ""
    assert other["PYTHONPATH"] == str(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["pipeline"]
    assert (tmp_path / "pipeline" / "benchmarks" / "frameworks" / "worker.py").is_file()
