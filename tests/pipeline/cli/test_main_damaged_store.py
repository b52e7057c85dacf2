"""A damaged store of runs and models is one line of every command that reads it, and others go on."""

import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import local_store_uri
from pipeline.tracking.sync_state import SyncState, save_sent
from tests.helpers.cli import Run, refused
from tests.helpers.tracked_runs import add_model, free_port


def of_another_program(path: Path) -> None:
    """Half of a sound file of SQLite's."""
    connection = sqlite3.connect(path)
    connection.execute("create table things (a)")
    connection.executemany("insert into things values (?)", [("x" * 1_000,)] * 100)
    connection.commit()
    connection.close()
    os.truncate(path, path.stat().st_size // 2)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "zeros": lambda path: path.write_bytes(bytes(8_192)),
    "garbage": lambda path: path.write_bytes(b"SQLite format 3" + bytes(range(256)) * 40),
    "half": of_another_program,
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
}
CALLS = {
    "list": ("models",),
    "promote": ("models", "promote", "1"),
    "rollback": ("models", "rollback"),
    "history": ("models", "history"),
    "predict": ("predict", "SOUND", "-o", "OUT"),
    "report": ("report", "champion", "-o", "PAGE"),
    "ui": ("ui", "--port", "PORT"),
    "up": ("up", "FOLDER", "--mlflow-port", "PORT", "--prefect-port", "OTHER"),
    # The last: the run waits to be sent from then on, which other commands try.
    "register": ("models", "register", "RUN"),
}


@pytest.fixture
def damaged(own_data_dir: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = own_data_dir / "mlflow" / "mlflow.db"
    path.parent.mkdir()
    DAMAGES[request.param](path)
    return path


@pytest.mark.parametrize("damaged", DAMAGES, indirect=True)
def test_every_command_says_so_in_one_line_and_at_once(
    wavecast: Run, damaged: Path, good: Path, run: RunFolder, tmp_path: Path
) -> None:
    add_model(run)
    save_sent(run, SyncState(local_store_uri(), run_id="1", status="finished"))
    places: dict[str, object] = {
        "RUN": run.path.name,
        "SOUND": good,
        "OUT": tmp_path / "out.wav",
        "PAGE": tmp_path / "page.html",
    }
    places |= {"FOLDER": good.parent, "PORT": free_port(), "OTHER": free_port()}
    known = {name for name in sys.modules if name.startswith("mlflow.store")}
    for call in CALLS.values():
        outcome = wavecast(*(places.get(word, word) for word in call))
        refused(outcome, 1, f"{damaged}: damaged store of runs and models", "rename the file")
    assert {name for name in sys.modules if name.startswith("mlflow.store")} == known
    status = wavecast("status")
    assert status.code == 1
    assert "champion     unknown" in status.out
    assert len(status.error.splitlines()) == 1
    assert wavecast("clean", "--dry-run").code == 0
