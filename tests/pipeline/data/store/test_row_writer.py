"""Rows on several disks: the same bytes in the same order, whichever disk is full, and nothing is lost."""

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.data.store import row_writer
from pipeline.data.store.joined_map import map_rows
from pipeline.data.store.pieces import pieces_of, read_bytes, replace_bytes
from pipeline.data.store.row_store import RowStore
from pipeline.errors import UserError
from tests.helpers.builders import noise

WIDTH, DTYPE = 3, np.dtype("int16")
SIZES = (20_001, 1, 30_000, 7, 45_678, 12_345)
"""Rows of 6 bytes: no recording but the first begins at a page, and rows lie across the ends of pieces."""


def recording(index: int) -> NDArray[np.int16]:
    return noise(SIZES[index] * WIDTH, index).reshape(-1, WIDTH)


def expected(count: int = len(SIZES)) -> NDArray[np.int16]:
    return np.concatenate([recording(index) for index in range(count)])


def append(store: RowStore, *indices: int) -> None:
    for index in indices:
        store.append(str(index), str(index), io.BytesIO(recording(index).tobytes()), {})


def mapped(store: Path, count: int = len(SIZES)) -> NDArray[np.int16]:
    return map_rows(store, DTYPE, (sum(SIZES[:count]), WIDTH))


@pytest.fixture
def disks(tmp_path: Path) -> list[Path]:
    folders = [tmp_path / "disk1", tmp_path / "disk2"]
    for folder in (*folders, tmp_path / "prepared" / "store"):
        folder.mkdir(parents=True)
    return folders


@pytest.fixture
def folder(disks: list[Path]) -> Path:
    return disks[0].parent / "prepared" / "store"


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_writer, "PIECE_BYTES", 100_000)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse to write behind this byte of any file, as a full disk does."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


@pytest.mark.usefixtures("small_pieces")
def test_rows_in_pieces_are_one_array_with_the_same_catalogue(folder: Path, disks: list[Path]) -> None:
    store = RowStore(folder, WIDTH, DTYPE, disks)
    append(store, *range(6))
    store.commit()
    assert len(pieces_of(folder)) > 3
    assert all(piece.place in disks for piece in pieces_of(folder))
    assert np.array_equal(mapped(folder), expected())
    (one := folder.parent / "one").mkdir()
    append(whole := RowStore(one, WIDTH, DTYPE), *range(6))
    assert [each.name for each in one.iterdir() if each.name.startswith("rows")] == ["rows.bin"]
    assert RowStore(folder, WIDTH, DTYPE).catalogue == whole.catalogue
    assert read_bytes(folder, 99_999, 500_000) == read_bytes(one, 99_999, 500_000)


@pytest.mark.usefixtures("small_pieces")
def test_a_map_of_pieces_stays_when_its_files_and_its_first_name_are_gone(
    folder: Path, disks: list[Path]
) -> None:
    append(RowStore(folder, WIDTH, DTYPE, disks), *range(6))
    rows = mapped(folder)
    part = rows[70_000:]
    del rows
    for piece in pieces_of(folder):
        piece.path.resolve().unlink()
    assert np.array_equal(part, expected()[70_000:])
    with pytest.raises(ValueError, match="read-only"):
        part[0] = 1


@pytest.mark.usefixtures("small_pieces")
def test_pieces_that_were_not_committed_are_removed(folder: Path, disks: list[Path]) -> None:
    append(store := RowStore(folder, WIDTH, DTYPE, disks), 0)
    store.commit()
    append(store, 2, 1, 4)  # of a run that is killed
    assert len(pieces_of(folder)) > 1
    append(again := RowStore(folder, WIDTH, DTYPE, disks), *range(1, 6))
    again.commit()
    assert np.array_equal(mapped(folder), expected())
    files = {file for disk in disks for file in disk.rglob("*.bin")}
    assert files == {piece.path.resolve() for piece in pieces_of(folder)}


def test_a_full_disk_is_left_for_the_next_one_and_the_rows_are_whole(folder: Path, disks: list[Path]) -> None:
    """Files may have 240 kB: the largest recording, of 274 kB, fits nowhere."""
    store = RowStore(folder, WIDTH, DTYPE, disks)
    with largest_file(240_000):
        append(store, 0, 1, 2, 3)
        store.commit()
        assert {piece.place for piece in pieces_of(folder)} == set(disks)
        assert np.array_equal(mapped(folder, 4), expected(4))
        with pytest.raises(
            UserError, match=rf"^{disks[0]}, {disks[1]}: no space is left for rows; .*resumes$"
        ):
            append(store, 4)
    assert np.array_equal(mapped(folder, 4), expected(4))
    append(again := RowStore(folder, WIDTH, DTYPE, disks), 4, 5)
    again.commit()
    assert np.array_equal(mapped(folder), expected())


def test_rows_go_on_elsewhere_when_folders_are_named_and_come_back(folder: Path, disks: list[Path]) -> None:
    for index, folders in enumerate(([], disks[:1], disks[1:], [])):
        store = RowStore(folder, WIDTH, DTYPE, folders)
        append(store, index)
        store.commit()
    assert np.array_equal(mapped(folder, 4), expected(4))
    assert [piece.place for piece in pieces_of(folder)][-1] == folder
    assert (folder / "rows.bin").is_file()


@pytest.mark.usefixtures("small_pieces")
def test_bytes_are_replaced_across_pieces(folder: Path, disks: list[Path]) -> None:
    append(RowStore(folder, WIDTH, DTYPE, disks), *range(6))
    new = noise(40_000 * WIDTH, 99).reshape(-1, WIDTH)
    replace_bytes(folder, 10_000 * 6, new.tobytes())
    wanted = expected()
    wanted[10_000:50_000] = new
    assert np.array_equal(mapped(folder), wanted)


@pytest.mark.usefixtures("small_pieces")
def test_a_disk_that_is_away_is_named_and_one_link_leads_to_its_new_place(
    folder: Path, disks: list[Path]
) -> None:
    for place, indices in zip(disks, (range(2), range(2, 6)), strict=True):
        append(store := RowStore(folder, WIDTH, DTYPE, [place]), *indices)
        store.commit()
    before = {path: path.readlink() for path in folder.iterdir() if path.is_symlink()}
    away = disks[1].rename(disks[1].with_name("away"))
    for use in (lambda: RowStore(folder, WIDTH, DTYPE, disks[:1]), lambda: mapped(folder)):
        with pytest.raises(
            UserError, match=rf"^{disks[1]}: not there, but rows of {folder} are in it; mount"
        ):
            use()
    assert {path: path.readlink() for path in folder.iterdir() if path.is_symlink()} == before
    (link,) = (each for each in (folder.parent / ".folders").iterdir() if not each.exists())
    target = away / link.readlink().name
    link.unlink()
    link.symlink_to(target)
    assert np.array_equal(mapped(folder), expected())


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_piece_that_is_cut_or_unnamed_is_reported(folder: Path, disks: list[Path], which: int) -> None:
    append(store := RowStore(folder, WIDTH, DTYPE, disks), *range(6))
    store.commit()
    pieces_of(folder)[which].path.unlink()
    with pytest.raises(UserError, match=r"rows\.bin: shorter than its catalogue"):
        RowStore(folder, WIDTH, DTYPE, disks)
    with pytest.raises(ValueError, match=r"bytes|missing"):
        mapped(folder)
