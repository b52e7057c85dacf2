"""What a built wheel holds, and that it works where no checkout is near."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import PROJECT_ROOT
from tests.helpers.builders import speakers_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel, which borrows the packages that it needs."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", "--disable-pip-version-check", str(wheel)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # Unlike the checkout's own environment, the borrowed folder is only a path: its .pth files are not run.
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"])
    return python


def run(python: Path, *arguments: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "WAVECAST_DATA")}
    environment = {**kept, "HOME": str(cwd), "XDG_DATA_HOME": "", **variables}
    command = [str(python), *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_a_wheel_has_the_module_the_packages_and_nothing_else_at_the_top(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"wavecast", "pipeline", "models", "flows", "wavecast-0.1.0.dist-info"}
    configs = {f"pipeline/config/files/{path.name}" for path in (PROJECT_ROOT / "configs").glob("*.yaml")}
    assert configs
    assert configs <= set(names)
    assert {f"{package}/py.typed" for package in ("wavecast", "pipeline", "models", "flows")} <= set(names)


def test_the_configurations_are_found_and_data_go_to_the_users_folder(
    installed: Path, tmp_path: Path
) -> None:
    """A model trained from one folder is found from another."""
    speakers_folder(tmp_path / "recordings")
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    wavecast = installed.with_name("wavecast")
    home = {"HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    assert "usage" in run(wavecast, "--help", cwd=one, **home).stdout.lower()
    settings = ["--set", "train.epochs=1", "--set", "model.hidden_size=8", "--set", "train.device=cpu"]
    done = run(wavecast, "train", str(tmp_path / "recordings"), *settings, cwd=one, **home)
    assert done.returncode == 0, done.stderr
    data = tmp_path / "home" / ".local" / "share" / "wavecast"
    (model,) = data.glob("runs/*/model")
    assert (model / "model.safetensors").exists()
    assert not list(one.iterdir())
    examined = run(wavecast, "doctor", cwd=other, **home)
    assert str(data) in examined.stdout
    assert "user's data folder" in examined.stdout


def test_without_a_home_that_can_be_written_one_line_is_the_answer(installed: Path, tmp_path: Path) -> None:
    speakers_folder(tmp_path / "recordings")
    (tmp_path / "no-home").write_text("")
    wavecast = installed.with_name("wavecast")
    home = {"HOME": str(tmp_path / "no-home")}
    done = run(wavecast, "prepare", str(tmp_path / "recordings"), cwd=tmp_path, **home)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "set WAVECAST_DATA to a folder that you may write in" in done.stderr


def test_a_type_checker_sees_the_types_of_an_installed_wavecast(installed: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import wavecast\n"
        "model = wavecast.load_model()\n"
        "reveal_type(model)\n"
        "reveal_type(model.predict('talk.wav').added)\n"
        "reveal_type(wavecast.score([0.0], 8_000).bits_per_sample)\n"
        "reveal_type(wavecast.train)\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--python-executable", str(installed), "--config-file="]
    command = [*mypy, "--cache-dir", str(tmp_path / "cache"), str(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    revealed = [line.split('"')[1] for line in done.stdout.splitlines() if "Revealed type" in line]
    assert revealed[0] == "pipeline.api.model.Model", done.stdout
    assert "numpy.ndarray" in revealed[1]
    assert revealed[2] in ("float | None", "Union[builtins.float, None]", "builtins.float | None")
    assert revealed[3].endswith("-> pipeline.api.model.Model")
