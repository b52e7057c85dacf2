"""The layout of the code: small folders and files, layered imports, tests that mirror the source."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import PROJECT_ROOT

PACKAGES = ("pipeline", "models", "flows")
MOST_FILES = 14
MOST_LINES = 300


def modules(package: str) -> list[Path]:
    return [path.relative_to(PROJECT_ROOT) for path in sorted((PROJECT_ROOT / package).rglob("*.py"))]


def test_imports_follow_the_contracts() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_no_folder_holds_more_files_than_one_can_oversee(package: str) -> None:
    count = Counter(path.parent for path in modules(package))
    assert not {folder: n for folder, n in count.items() if n > MOST_FILES}


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_no_file_is_too_long_to_read(package: str) -> None:
    lines = {path: len((PROJECT_ROOT / path).read_text().splitlines()) for path in modules(package)}
    assert not {path: n for path, n in lines.items() if n > MOST_LINES}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_says_what_it_is_for(package: str) -> None:
    """A folder of code without an `__init__.py`, or with one that says nothing, is no room."""
    silent = [
        folder
        for folder in {path.parent for path in modules(package)}
        if not (PROJECT_ROOT / folder / "__init__.py").is_file()
        or not (PROJECT_ROOT / folder / "__init__.py").read_text().startswith('"""')
    ]
    assert not silent


@pytest.mark.parametrize("package", PACKAGES)
def test_every_test_lies_where_its_module_does(package: str) -> None:
    """`tests/ROOM/test_NAME.py` or `test_NAME_ASPECT.py` tests `ROOM/NAME.py`."""
    strays = []
    for test in sorted((PROJECT_ROOT / "tests" / package).rglob("test_*.py")):
        room = test.parent.relative_to(PROJECT_ROOT / "tests")
        names = {path.stem for path in (PROJECT_ROOT / room).glob("*.py")}
        name = test.stem.removeprefix("test_")
        if not any(name == known or name.startswith(f"{known}_") for known in names):
            strays.append(test.relative_to(PROJECT_ROOT))
    assert not strays
