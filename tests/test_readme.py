"""Every command of the README does what it says, run as written, from a folder that is not the checkout."""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from pipeline.music.midi import KEYS, write_midi
from tests.conftest import PROJECT_ROOT
from tests.flows.test_pipeline_deployment import STEPS
from tests.helpers.builders import speakers_folder, tone, write_sound

README = (PROJECT_ROOT / "README.md").read_text()
SHELL = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.split("#")[0].strip()
]


def commands(program: str) -> list[str]:
    return [command for command in SHELL if command.split()[0] == program]


def test_nothing_in_the_readme_goes_untested() -> None:
    assert {command.split()[0] for command in SHELL} == {"make", "wavecast", "prefect", "export"}


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    assert commands("make") == ["make demo", "make test"]
    for command in commands("make"):
        subprocess.run([*command.split(), "--dry-run"], cwd=PROJECT_ROOT, check=True, capture_output=True)


def test_the_servers_commands_are_those_of_the_deployment_test() -> None:
    shown = [command for command in commands("prefect") if not command.startswith("prefect server start")]
    assert shown == [" ".join(["prefect", *step]) for step in STEPS]


def test_paths_in_the_readme_exist() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (PROJECT_ROOT / path).exists(), path
    for path in re.findall(r"^\| `([a-z]+/)`", README, re.MULTILINE):
        assert (PROJECT_ROOT / path).is_dir(), path


@pytest.mark.slow
def test_every_wavecast_command_runs_as_written(tmp_path: Path) -> None:
    speakers_folder(tmp_path / "recordings")
    write_sound(tmp_path / "talk.wav", tone(44_100), 44_100)
    (tmp_path / "lost.txt").write_text("0 0 0 0 0 1 0 0 0 0 0 1 1 0 0\n")
    random = np.random.default_rng(0)
    for name in ("piece", *(f"pieces/{number}" for number in range(12))):
        chords = random.integers(30, 60, (40, 1, 3)).repeat(4, 1).reshape(-1, 3)
        write_midi(tmp_path / f"{name}.mid", np.eye(KEYS, dtype=np.uint8)[chords].max(1), 4, 120.0)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "WAVECAST_DATA": str(tmp_path / "data"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }
    for command in commands("wavecast"):
        if command == "wavecast ui":
            the_pages_open(environment, tmp_path)
            continue
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), command
    assert {
        *("longer.wav", "longer.png", "take-8.flac", "calm.wav", "new.ogg", "longer.mid", "roll.png"),
        *(
            "scores.csv",
            "surprise",
            "usual.json",
            "whole.wav",
            "talk.wcz",
            "again.flac",
            "talk.png",
            "talk.npz",
        ),
        *("page.html", "step.onnx"),
    } <= {path.name for path in tmp_path.iterdir()}
    assert np.array_equal(read_sound(tmp_path / "again.flac"), read_sound(tmp_path / "talk.wav"))
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    given = "from soundfile import read, write\nsamples, _ = read('talk.wav')\n"
    command = [sys.executable, "-c", f"{given}{program}\nprint(surprise.mean())"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
    assert float(done.stdout) > 0, done.stderr


def read_sound(path: Path) -> np.ndarray:
    return np.asarray(soundfile.read(path, dtype="int16")[0])


def the_pages_open(environment: dict[str, str], folder: Path) -> None:
    """`wavecast ui` names an address on the loopback interface, and MLflow answers there."""
    with subprocess.Popen(
        ["wavecast", "ui"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[0]
            assert address == "http://127.0.0.1:5000"
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
