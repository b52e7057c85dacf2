"""Every example runs as it is, and prints what its page promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT_ROOT

EXAMPLES = PROJECT_ROOT / "examples"
PRINTED = {
    "predict.py": "take 1: 3.00 s",
    "train_on_arrays.py": "bits per sample",
    "score_stream.py": "least likely at 6.",
    "compress.py": "restored bit for bit: True",
    "custom_head.py": "update 59",
    "onnx_runtime.py": "samples from 200 steps",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for all: the small model is trained once."""
    return tmp_path_factory.mktemp("examples")


def test_every_example_is_listed_and_short() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")} - {"synthetic.py"}
    assert scripts == set(PRINTED)
    page = (EXAMPLES / "README.md").read_text()
    assert all(f"[`{name}`]({name})" in page for name in scripts)
    assert all(len((EXAMPLES / name).read_text().splitlines()) < 60 for name in scripts)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED)
def test_an_example_runs(name: str, data: Path) -> None:
    if name == "onnx_runtime.py":
        pytest.importorskip("onnxruntime")
    environment = {**os.environ, "WAVECAST_DATA": str(data), "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, str(EXAMPLES / name)]
    done = subprocess.run(command, env=environment, cwd=data, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert PRINTED[name] in done.stdout
