"""The local store lies where the data folder says, whatever its path contains and wherever it was moved."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pipeline.errors import UserError
from pipeline.tracking.local_store import (
    TRAINING_PAGES,
    check_store,
    local_folder,
    newest_experiment,
    repair_moved,
    sqlite_address,
    sqlite_file,
)
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import store_uri, sync
from tests.helpers.tracked_runs import mirrored

NAMES = ["plain", "100%", "a?b", "a#b", "%41", "blank here", "äöü", "a&b", "dot.", "a?b=c&d#e%20"]


@pytest.mark.parametrize("name", NAMES)
def test_the_address_leads_to_the_file_and_back(name: str, tmp_path: Path) -> None:
    database = tmp_path / name / "x.db"
    database.parent.mkdir()
    engine = create_engine(sqlite_address(database))
    with engine.begin() as connection:
        connection.execute(text("create table t (a)"))
    engine.dispose()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [database]
    assert sqlite_file(sqlite_address(database)) == database


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", NAMES)
def test_a_moved_store_finds_its_artifacts_and_is_repaired(
    name: str, tmp_path: Path, fresh_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / name / "mlflow.db"
    (database.parent / "artifacts" / "r" / "artifacts").mkdir(parents=True)
    shutil.copy(fresh_store, database)
    earlier = (fresh_store.parent / "artifacts").as_uri()
    assert (
        local_folder(database, f"{earlier}/r/artifacts") == database.parent / "artifacts" / "r" / "artifacts"
    )
    repair_moved(database)
    assert "moved here from" in capsys.readouterr().err
    with closing(sqlite3.connect(database)) as connection:
        (found,) = connection.execute("select artifact_location from experiments").fetchone()
    assert found == f"{(database.parent / 'artifacts').as_uri()}/0"
    repair_moved(database)
    assert not capsys.readouterr().err


def test_a_damaged_store_is_one_sentence(tmp_path: Path, fresh_store: Path) -> None:
    check_store(fresh_store)
    data = bytearray(fresh_store.read_bytes())
    data[len(data) // 4 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 4)
    (tmp_path / "mlflow.db").write_bytes(data)
    with pytest.raises(UserError, match="damaged store of runs and models"):
        check_store(tmp_path / "mlflow.db")


def test_the_user_interface_opens_at_the_newest_run(run: RunFolder, local_store: Path) -> None:
    assert newest_experiment(local_store) == ""
    sync(run)
    page = f"/#/experiments/{mirrored(run).info.experiment_id}/runs?{TRAINING_PAGES}"
    assert newest_experiment(local_store) == page
    connect(store_uri()).delete_experiment(mirrored(run).info.experiment_id)
    assert newest_experiment(local_store) == ""
