"""What the tests of the pipeline share: what preparation reads, and a store of MLflow's for runs to go to."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline.data.preparing.conversion as conversion
from pipeline.data.corpora.source import Source
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from tests.helpers.builders import tone, write_sound
from tests.helpers.cli import Run, caller
from tests.helpers.commands import saved_model
from tests.helpers.reported_runs import evaluated_run
from tests.helpers.tracked_runs import new_run

CONVERSIONS = "open_source", "content_hash"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that preparation reads from now on, once for its hash and once for its sound."""
    read: list[Path] = []
    for name in CONVERSIONS:
        original = getattr(conversion, name)

        def counted(file: Path | Source, *arguments: object, original: object = original) -> object:
            read.append(file.path if isinstance(file, Source) else file)
            assert callable(original)
            return original(file, *arguments)

        monkeypatch.setattr(conversion, name, counted)
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
    """Return the address of an unavailable server: its port is bound, but does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


@pytest.fixture
def wavecast(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Call the command line within this process; what libraries write by themselves is seen, too."""
    return caller(monkeypatch, capfd)


@pytest.fixture(scope="session")
def sound_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of sound at 8 kHz, saved in a folder; not to be changed."""
    return saved_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A recording that is fine."""
    return write_sound(tmp_path / "good.wav", tone(800))


@pytest.fixture(scope="session")
def evaluated_once(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that was trained and evaluated; no server was told."""
    return evaluated_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def evaluated(evaluated_once: RunFolder, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """The same, where verbs look for runs."""
    monkeypatch.setenv("WAVECAST_DATA", str(evaluated_once.path.parent.parent))
    return evaluated_once
