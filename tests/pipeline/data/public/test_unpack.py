"""An archive writes nothing outside of its folder, and nothing but files and folders in it."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from pipeline.data.public.unpack import ArchiveRejected, unpack

Files = dict[str, bytes]
GOOD: Files = {"set/a.wav": b"one", "set/sub/b.wav": b"two" * 1000, "set/empty.txt": b""}
MOST = 1 << 20


def tar(path: Path, files: Files, *more: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in more:
            archive.addfile(info)
    return path


def zipped(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make(path: Path, files: Files) -> Path:
    return zipped(path, files) if path.suffix == ".zip" else tar(path, files)


def special(kind: bytes, name: str, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def files_of(folder: Path) -> Files:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_every_kind_of_archive_is_unpacked(tmp_path: Path, mode: str) -> None:
    archive = tmp_path / "archive"
    zipped(archive, GOOD) if mode == "zip" else tar(archive, GOOD, mode=mode)
    counts = unpack(archive, tmp_path / "out", MOST)
    assert files_of(tmp_path / "out") == GOOD
    assert (counts.files, counts.bytes, counts.links) == (3, 3003, 0)


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../out.wav", "a/../../out.wav", "C:\\out.wav", "..\\out.wav", "\\\\host\\x\\y"]
)
def test_a_path_outside_is_rejected(tmp_path: Path, kind: str, name: str) -> None:
    archive = make(tmp_path / f"archive.{kind}", {"good.wav": b"1", name: b"2"})
    with pytest.raises(ArchiveRejected, match="outside"):
        unpack(archive, tmp_path / "out", MOST)
    assert {path.name for path in tmp_path.iterdir()} == {archive.name, "out"}


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_is_rejected(tmp_path: Path, kind: bytes) -> None:
    archive = tar(tmp_path / "archive.tar.gz", GOOD, special(kind, "set/null"))
    with pytest.raises(ArchiveRejected, match="device"):
        unpack(archive, tmp_path / "out", MOST)


@pytest.mark.parametrize(
    ("kind", "target"),
    [(tarfile.SYMTYPE, "/etc"), (tarfile.SYMTYPE, "../../x"), (tarfile.LNKTYPE, "../x")],
)
def test_a_link_out_of_the_folder_is_rejected(tmp_path: Path, kind: bytes, target: str) -> None:
    archive = tar(tmp_path / "archive.tar.gz", GOOD, special(kind, "set/link", target))
    with pytest.raises(ArchiveRejected, match="link out of the folder"):
        unpack(archive, tmp_path / "out", MOST)


def test_a_link_within_is_left_out_and_counted_so_that_nothing_is_written_through_it(tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    with tarfile.open(archive, "w") as opened:
        opened.addfile(special(tarfile.SYMTYPE, "set/link", "../set"))
        info = tarfile.TarInfo("set/link/a.wav")
        info.size = 1
        opened.addfile(info, io.BytesIO(b"1"))
    assert unpack(archive, tmp_path / "out", MOST).links == 1
    assert files_of(tmp_path / "out") == {"set/link/a.wav": b"1"}
    assert not (tmp_path / "out/set/link").is_symlink()


def test_a_link_in_a_zip_file_is_not_made(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as opened:
        opened.writestr(info, "/etc")
    with pytest.raises(ArchiveRejected, match="link out of the folder"):
        unpack(tmp_path / "archive.zip", tmp_path / "out", MOST)


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_a_bomb_stops_at_the_stated_size(tmp_path: Path, kind: str) -> None:
    archive = make(tmp_path / f"archive.{kind}", {"zeros": bytes(20 * MOST)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(ArchiveRejected, match="more bytes than stated"):
        unpack(archive, tmp_path / "out", MOST)
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= MOST


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_no_file_replaces_another(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / f"archive.{kind}"
    if kind == "tar":
        with tarfile.open(archive, "w") as opened:
            opened.addfile(tarfile.TarInfo("a"))
            opened.addfile(tarfile.TarInfo("./a"))
    else:
        with zipfile.ZipFile(archive, "w") as written:
            written.writestr("a", "1")
            written.writestr("./a", "2")
    with pytest.raises(ArchiveRejected, match="there twice"):
        unpack(archive, tmp_path / "out", MOST)


def test_names_that_differ_in_case_are_both_kept_or_rejected(tmp_path: Path) -> None:
    archive = tar(tmp_path / "archive.tar.gz", {"a.wav": b"1", "A.wav": b"2"})
    try:
        unpack(archive, tmp_path / "out", MOST)
    except ArchiveRejected:
        assert files_of(tmp_path / "out") == {"a.wav": b"1"}
    else:
        assert files_of(tmp_path / "out") == {"a.wav": b"1", "A.wav": b"2"}


@pytest.mark.parametrize("files", [{"a": b"1", "a/b": b"2"}, {"a/b": b"2", "a": b"1"}])
def test_a_file_that_is_also_a_folder_is_rejected(tmp_path: Path, files: Files) -> None:
    with pytest.raises(ArchiveRejected):
        unpack(tar(tmp_path / "archive.tar.gz", files), tmp_path / "out", MOST)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "zip"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_a_damaged_archive_is_rejected(tmp_path: Path, mode: str, damage: str) -> None:
    archive, files = tmp_path / "archive", {"a.wav": os.urandom(50_000)}
    zipped(archive, files) if mode == "zip" else tar(archive, files, mode=mode)
    content = bytearray(archive.read_bytes())
    if damage == "flipped":
        for at in range(20_000, 20_050):
            content[at] ^= 0xFF
    archive.write_bytes({"cut": content[:30_000], "flipped": content, "other": b"<html>" * 100}[damage])
    with pytest.raises(ArchiveRejected):
        unpack(archive, tmp_path / "out", MOST)


def test_set_user_bits_and_owners_are_not_taken_over(tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    info = tarfile.TarInfo("tool")
    info.mode, info.uid = 0o6777, 0
    with tarfile.open(archive, "w") as opened:
        opened.addfile(info)
    unpack(archive, tmp_path / "out", MOST)
    assert (tmp_path / "out/tool").stat().st_mode & 0o7111 == 0
