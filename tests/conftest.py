"""What every test may use; run-time files of the tests never touch the user's own data folder."""

import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import settings

from pipeline.errors import print_notice_once

# A busy machine is no failure; and where nobody looks, the same examples are tried every time.
settings.register_profile("unhurried", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("unhurried")

# The tests' arithmetic is small: threads would only wait for each other, the more so beside other programs.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Some hundred processes read the same modules: only the first is to compile each. Workers inherit this.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make most parameters of a test that is marked as thinned slow: the first stays, and one in n others.

    Which ones depends on their names alone, so that it is always the same and every kind is among them.
    """
    begun: set[str] = set()
    for item in items:
        mark = item.get_closest_marker("thinned")
        if mark is None:
            continue
        test = item.nodeid.partition("[")[0]
        if test in begun and crc32(item.name.encode()) % mark.args[0]:
            item.add_marker("slow")
        begun.add(test)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings that are kept beside the project's checkout, not in it."""
    folder = PROJECT_ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real recordings are not here: ../shared/data is absent")
    return folder


@pytest.fixture(scope="session")
def data_dirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths of data folders, one for each test; pytest's own numbering would list all of them each time."""
    base = tmp_path_factory.mktemp("wavecast-data")
    return (base / str(number) for number in count())


@pytest.fixture(autouse=True)
def own_notices() -> None:
    """Let each test see the notices that a process prints once."""
    print_notice_once.cache_clear()


@pytest.fixture(autouse=True)
def own_data_dir(data_dirs: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point wavecast's data folder, and so its store of runs and models, at a temporary one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = next(data_dirs)
    folder.mkdir()
    monkeypatch.setenv("WAVECAST_DATA", str(folder))
    return folder
