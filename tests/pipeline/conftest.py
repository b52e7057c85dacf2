"""What the tests of the pipeline share: what preparation reads, and a store of MLflow's for runs to go to."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline.preparation as preparation
from pipeline.mlflow_mirror import connect
from pipeline.run_folder import RunFolder
from tests.command_line import Run, caller
from tests.tracked_runs import new_run

CONVERSIONS = "decode", "content_hash"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that preparation reads from now on, once for its hash and once for its sound."""
    read: list[Path] = []
    for name in CONVERSIONS:
        original = getattr(preparation, name)

        def counted(path: Path, *arguments: object, original: object = original) -> object:
            read.append(path)
            assert callable(original)
            return original(path, *arguments)

        monkeypatch.setattr(preparation, name, counted)
    return read


@pytest.fixture(scope="session")
def fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite store as MLflow makes it: copied for each test, since making one takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    connect(f"sqlite:///{folder}/mlflow.db")
    return folder / "mlflow.db"


@pytest.fixture
def local_store(own_data_dir: Path, fresh_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The local store below the test's own data folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    database = own_data_dir / "mlflow" / "mlflow.db"
    database.parent.mkdir()
    shutil.copy(fresh_store, database)
    return database


@pytest.fixture
def run() -> RunFolder:
    """A training in progress, with two lines in its journal."""
    return new_run("first")


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that is away: the port is taken, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


@pytest.fixture
def wavecast(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line within this process."""
    return caller(monkeypatch, capsys)
