"""Only what nothing needs is found: remnants of killed commands, old checkpoints, unused data."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.common.files import atomic_path, write_json
from pipeline.housekeeping.clean import find_leftovers
from pipeline.housekeeping.leftovers import remove
from pipeline.tracking.run_folder import RunFolder
from tests.helpers.tracked_runs import add_model

LONG_AGO = 1e9


@pytest.fixture(autouse=True)
def home(own_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, with a temporary folder of its own."""
    (tmp_path / "system").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "system"))
    return own_data_dir


@pytest.fixture
def finished(run: RunFolder) -> RunFolder:
    add_model(run)
    for path in (run.last_checkpoint, run.previous_checkpoint, run.best_checkpoint):
        written(path)
    return run


def written(path: Path, age_s: float = LONG_AGO) -> Path:
    """A file with some content that was last changed some time ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 10_000)
    changed = time.time() - age_s
    for place in (path, path.parent):
        os.utime(place, (changed, changed))
    return path


def prepared(home: Path, fingerprint: str, kind: str = "waveform-1") -> Path:
    written(home / "prepared" / kind / "rows.bin")
    return written(home / "prepared" / kind / fingerprint / "dataset.json").parent


def found(home: Path, days: float = 7.0) -> set[Path]:
    return {leftover.path for leftover in find_leftovers(home, days)}


def remnant(path: Path) -> Path:
    """A file with the temporary name of a writer of ``path``, which was killed."""
    with atomic_path(path) as temporary:
        pass
    return written(temporary)


def test_nothing_is_found_in_an_empty_home_or_without_one(home: Path) -> None:
    assert not found(home)
    assert not found(home / "missing")


def test_remnants_of_killed_writers_are_found(home: Path, run: RunFolder) -> None:
    names = [run.last_checkpoint, run.path / "status.json", home / "mlflow" / "mlflow.db", home / "a" / "x"]
    expected = {remnant(path) for path in names}
    written(home / "prepared" / "waveform-1" / ".shards" / "1.rows")
    written(home / "public" / ".yesno.fetch" / "yesno.tar.gz.part")
    expected |= {home / "public" / ".yesno.fetch", home / "prepared" / "waveform-1" / ".shards"}
    assert found(home) == expected
    assert all(remove(leftover) is None for leftover in find_leftovers(home))
    assert not found(home)
    assert (run.path / "status.json").exists()


def test_a_file_that_is_being_written_stays(home: Path, run: RunFolder) -> None:
    recent, opened, locked = (remnant(home / name) for name in ("a", "b", "c"))
    os.utime(recent)
    locked = locked.replace(run.path / locked.name)
    with opened.open("rb"), FileLock(run.path / ".training.lock"):
        assert not found(home)
    assert found(home) == {opened, locked}


def test_files_of_others_with_such_names_stay(home: Path) -> None:
    for folder in ("public/set", "mlflow/artifacts/1", "prefect"):
        written(home / folder / ".last-0123abcd.pt")
    assert not found(home)


def test_checkpoints_of_finished_runs_are_found_when_they_are_old(home: Path, finished: RunFolder) -> None:
    old = {finished.last_checkpoint, finished.previous_checkpoint}
    assert found(home) == old
    os.utime(finished.last_checkpoint)
    assert found(home) == {finished.previous_checkpoint}
    assert found(home, days=0) == old


@pytest.mark.parametrize("status", ["running", "failed"])
def test_a_training_that_can_be_resumed_keeps_its_checkpoints(
    home: Path, finished: RunFolder, status: str
) -> None:
    finished.set_status(status)
    assert not found(home, days=0)


def test_a_run_without_its_model_or_with_a_damaged_status_keeps_its_checkpoints(
    home: Path, finished: RunFolder
) -> None:
    (finished.model / "model.safetensors").unlink()
    assert not found(home, days=0)
    written(finished.model / "model.safetensors")
    written(finished.path / "status.json")
    assert not found(home, days=0)


def test_a_run_that_a_process_holds_is_left_alone(home: Path, finished: RunFolder) -> None:
    leftovers = find_leftovers(home)
    with FileLock(finished.path / ".training.lock"):
        assert not found(home)
        assert {remove(leftover) for leftover in leftovers} == {"in use by another process"}
    assert finished.last_checkpoint.exists()


def test_data_sets_that_something_refers_to_stay(home: Path, run: RunFolder) -> None:
    used, frozen, unused = (prepared(home, name) for name in ("fingerprint", "0f0f", "1e1e"))
    write_json(home / "promotion" / "wavecast" / "held-out.json", {"dataset": f"{frozen}/dataset.json"})
    assert run.description()["fingerprint"] == used.name
    assert found(home) == {unused}
    os.utime(unused / "dataset.json")
    assert not found(home)


def test_rows_are_removed_with_the_last_data_set_and_the_lock_stays(home: Path, run: RunFolder) -> None:
    prepared(home, "fingerprint")
    store = prepared(home, "1e1e", "waveform-2").parent
    written(store / ".lock")
    assert found(home) == {store}
    (leftover,) = find_leftovers(home)
    assert leftover.bytes >= 20_000
    assert remove(leftover) is None
    assert [path.name for path in store.iterdir()] == [".lock"]
    assert not found(home)


def spread(home: Path, disk: Path, store: Path) -> Path:
    """Rows of a store in a folder on another disk, as preparation writes them."""
    target = written(disk / "wavecast-rows-1" / store.name / "rows-0a.bin")
    links = home / "prepared" / ".folders"
    links.mkdir()
    (links / "1").symlink_to(disk / "wavecast-rows-1")
    (store / "rows.bin").unlink()
    (store / "rows.bin").symlink_to(f"../.folders/1/{store.name}/{target.name}")
    return target


def test_rows_on_another_disk_are_removed_with_their_store(home: Path, tmp_path: Path) -> None:
    store = prepared(home, "1e1e").parent
    file = spread(home, tmp_path / "disk", store)
    (leftover,) = find_leftovers(home)
    assert leftover.path == store
    assert leftover.bytes >= 20_000
    away = (tmp_path / "disk").rename(tmp_path / "away")
    assert not found(home), "what is on a disk that is away cannot be judged"
    away.rename(tmp_path / "disk")
    assert remove(leftover) is None
    assert not file.exists()
    assert not found(home)


def test_rows_on_another_disk_of_a_store_that_was_deleted_are_found(
    home: Path, run: RunFolder, tmp_path: Path
) -> None:
    store = prepared(home, "fingerprint").parent
    file = spread(home, tmp_path / "disk", store)
    assert not found(home)
    shutil.rmtree(store)
    assert found(home) == {home / "prepared" / ".folders" / "1" / store.name / file.name}
    assert all(remove(leftover) is None for leftover in find_leftovers(home))
    assert not file.exists()


def test_no_data_set_is_found_where_a_reference_cannot_be_read(home: Path, run: RunFolder) -> None:
    prepared(home, "1e1e")
    written(home / "mlflow" / "mlflow.db")
    assert not found(home)


def test_temporaries_of_the_system_stay_while_a_process_may_own_them(home: Path, tmp_path: Path) -> None:
    opened, recent, abandoned, of_others = (
        written(tmp_path / "system" / name / "talk.wav").parent
        for name in ("wavecast-1", "wavecast-2", "wavecast-3", "other-1")
    )
    in_future = time.time() + 60  # later than the start of every process
    os.utime(recent / "talk.wav", (in_future, in_future))
    with (opened / "talk.wav").open("rb"):
        assert found(home) == {abandoned}
    assert found(home) == {opened, abandoned}
    assert of_others.exists()
