"""Every command of the README does what it says, run as written, from a folder that is not the checkout."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from tests.conftest import PROJECT_ROOT
from tests.flows.test_pipeline_deployment import STEPS
from tests.helpers.pages.code_blocks import blocks_of, run_blocks, write_inputs

README = PROJECT_ROOT / "README.md"
NIGHTLY = PROJECT_ROOT / "docs" / "tutorials" / "nightly-run.md"
MOST_LINES = 150


def commands(page: Path, program: str) -> list[str]:
    found = [command for block in blocks_of(page) for command in block.commands()]
    return [command for command in found if command.split()[0] == program]


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= MOST_LINES


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    assert commands(README, "make") == ["make demo", "make test"]
    for command in commands(README, "make"):
        subprocess.run([*command.split(), "--dry-run"], cwd=PROJECT_ROOT, check=True, capture_output=True)


def test_the_servers_commands_are_those_of_the_deployment_test() -> None:
    shown = [
        command
        for command in commands(NIGHTLY, "prefect")
        if not command.startswith(("prefect server start", "prefect deployment run"))
    ]
    assert shown == [" ".join(["prefect", *step]) for step in STEPS]


def test_folders_in_the_readme_exist() -> None:
    for path in re.findall(r"^\| `([a-z]+/)`", README.read_text(), re.MULTILINE):
        assert (PROJECT_ROOT / path).is_dir(), path


@pytest.mark.slow
def test_every_command_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_inputs(tmp_path)
    names = run_blocks(blocks_of(README), tmp_path)
    made = {"longer.wav", "longer.png", "talk.wcz", "again.flac", "continued.wav"}
    assert made <= {path.name for path in tmp_path.iterdir()}
    assert np.array_equal(read_sound(tmp_path / "again.flac"), read_sound(tmp_path / "talk.wav"))
    assert 0 < names["model"].score("talk.wav").bits_per_sample < 32
    assert "wavecast ui" in commands(README, "wavecast")
    the_pages_open(tmp_path)


def read_sound(path: Path) -> np.ndarray:
    return np.asarray(soundfile.read(path, dtype="int16")[0])


def the_pages_open(folder: Path) -> None:
    """`wavecast ui` names an address on the loopback interface, and MLflow answers there."""
    with subprocess.Popen(
        [Path(sys.executable).parent / "wavecast", "ui"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[0]
            assert address.startswith("http://127.0.0.1:5000/#/experiments/")
            deadline = time.monotonic() + 120
            while True:
                try:
                    assert "MLflow" in httpx.get(address).text
                    break
                except httpx.TransportError:
                    assert time.monotonic() < deadline
                    assert process.poll() is None
                    time.sleep(1)
        finally:
            os.killpg(process.pid, 15)
