"""A data set over several folders is the one that a single folder has, and a folder that is away is named."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config.run import RunConfig
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.data.preparation import prepare
from pipeline.data.preparing import planning
from pipeline.data.store import row_writer
from pipeline.data.store.pieces import Piece, pieces_of
from pipeline.diagnostics.dataset import examine_dataset
from pipeline.errors import UserError
from tests.helpers.builders import noise, run_config, speakers_folder, write_sound


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return speakers_folder(tmp_path / "corpus", samples=20_000)


@pytest.fixture
def disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two folders; shards have few recordings, and pieces few shards."""
    monkeypatch.setattr(planning, "SHARD_BYTES", 1 << 16)
    monkeypatch.setattr(row_writer, "PIECE_BYTES", 1 << 18)
    folders = [tmp_path / "disk1", tmp_path / "disk2"]
    for folder in folders:
        folder.mkdir()
    return folders


def over(corpus: Path, folders: list[Path]) -> RunConfig:
    config = run_config(corpus)
    chosen = config.preparation.model_copy(update={"folders": [str(folder) for folder in folders]})
    return config.model_copy(update={"preparation": chosen})


def opened(config: RunConfig) -> Dataset:
    return open_dataset(prepare(config), config.input)


def pieces(dataset: Dataset) -> list[Piece]:
    return pieces_of(dataset.path.parent.parent)


def test_a_data_set_is_the_same_in_one_folder_and_in_several(
    corpus: Path, disks: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = opened(over(corpus, disks))
    assert len(pieces(several)) > 1
    assert all(piece.path.is_symlink() for piece in pieces(several))
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "single"))
    single = opened(run_config(corpus))
    assert len(pieces(single)) == 1
    assert several.path.read_bytes() == single.path.read_bytes()
    assert several.path.with_name("manifest.jsonl").read_bytes() == (
        single.path.with_name("manifest.jsonl").read_bytes()
    )
    assert np.array_equal(several.rows, single.rows)


def test_further_recordings_need_no_folders_and_change_no_earlier_row(
    corpus: Path, disks: list[Path]
) -> None:
    before = opened(over(corpus, disks))
    files = {piece.path.resolve(): piece.path.resolve().stat().st_mtime_ns for piece in pieces(before)}
    write_sound(corpus / "speaker-0" / "further.wav", noise(5_000, 7))
    after = opened(run_config(corpus))
    assert np.array_equal(after.rows[: len(before.rows)], before.rows)
    assert len(after.recording) == len(before.recording) + 1
    assert {file: file.stat().st_mtime_ns for file in files} == files
    assert not pieces(after)[-1].path.is_symlink()


def test_a_folder_that_is_away_ends_every_command_in_a_line_and_changes_nothing(
    corpus: Path, disks: list[Path]
) -> None:
    config = over(corpus, disks[1:])
    dataset = opened(config)
    store = dataset.path.parent.parent
    kept = {path: path.lstat().st_mtime_ns for path in store.rglob("*") if path.name != ".lock"}
    away = disks[1].rename(disks[1].with_name("away"))
    with pytest.raises(UserError, match=rf"^{disks[1]}: no such folder for rows; mount its disk"):
        prepare(config)
    for use in (lambda: prepare(run_config(corpus)), lambda: open_dataset(dataset.path, config.input)):
        with pytest.raises(UserError, match=rf"^{disks[1]}: not there, but rows of {store} are in it"):
            use()
    rows = [finding for finding in examine_dataset(dataset.path).findings if finding.name == "rows"]
    assert str(disks[1]) in rows[0].what
    assert "Mount" in rows[0].advice
    assert {path: path.lstat().st_mtime_ns for path in kept} == kept
    away.rename(disks[1])
    assert np.array_equal(opened(config).rows, dataset.rows)


def test_damaged_rows_in_any_piece_are_converted_again(corpus: Path, disks: list[Path]) -> None:
    config = over(corpus, disks)
    dataset = opened(config)
    whole = np.array(dataset.rows)
    for piece in pieces(dataset):
        with piece.path.open("r+b") as file:
            file.seek(1_000)
            file.write(b"\xff\x01" * 500)
    damaged = open_dataset(dataset.path, config.input)
    for index in range(len(damaged.recording)):
        damaged.recording_rows(index)
    assert np.array_equal(damaged.rows, whole)
