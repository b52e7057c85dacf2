"""Safe unpacking of tar and zip archives that others made.

Only files and folders are made, with this user's permissions, below a new folder. An archive is rejected that
names an absolute path, `..`, a device, the same file twice, a link out of the folder, or more bytes than
stated. Links within the folder are left out: no public set needs them, and the chains of links by which
`tarfile`'s own filter could be passed (CVE-2025-4517) cannot arise.
"""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Literal

PIECE_BYTES = 1 << 20
MOST_ENTRIES = 2_000_000
LONGEST_TARGET = 4096
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    UnicodeError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


class ArchiveRejected(Exception):
    """An archive is damaged, or would write where or what it must not."""


@dataclass(frozen=True)
class Entry:
    """One entry of an archive.

    Attributes:
        name: path in the archive.
        kind: what it is.
        target: of a link, relative to the top of the archive.
        content: opens a file for reading.
    """

    name: str
    kind: Literal["file", "folder", "link", "device"]
    target: str = ""
    content: Callable[[], IO[bytes] | None] = lambda: None


@dataclass(frozen=True)
class Unpacked:
    """The number of files and bytes that were unpacked, and of links that were left out."""

    files: int
    bytes: int
    links: int


def unpack(archive: Path, folder: Path, most_bytes: int) -> Unpacked:
    """Unpack an archive into ``folder``, which must be new.

    Args:
        archive: a .tar file, compressed or not, or a .zip file, by its bytes.
        folder: is made.
        most_bytes: unpacked size that may not be exceeded.

    Raises:
        ArchiveRejected: what was unpacked so far stays, and is to be deleted.
    """
    folder.mkdir()
    files = total = links = 0
    try:
        with _opened(archive) as entries:
            for count, entry in enumerate(entries):
                if count >= MOST_ENTRIES:
                    raise ArchiveRejected(f"more than {MOST_ENTRIES:,} entries")
                path = folder / _checked_name(entry)
                if entry.kind == "file":
                    total += _write(entry, path, most_bytes - total)
                    files += 1
                elif entry.kind == "folder":
                    _make_folder(path, entry)
                else:
                    links += 1
    except DAMAGE as problem:
        raise ArchiveRejected(f"it is damaged ({problem})") from None
    except OSError as problem:
        if problem.errno is None:  # how gzip and bz2 name damage
            raise ArchiveRejected(f"it is damaged ({problem})") from None
        raise OSError(problem.errno, problem.strerror, problem.filename or str(folder)) from None
    return Unpacked(files, total, links)


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[Entry]]:
    """Open an archive and yield its entries, in its order."""
    if zipfile.is_zipfile(archive) and not tarfile.is_tarfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield (_zip_entry(zipped, info) for info in zipped.infolist())
    else:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:*") as tarred:
            yield _tar_entries(tarred)


def _zip_entry(zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> Entry:
    if stat.S_ISLNK(info.external_attr >> 16):
        with zipped.open(info) as content:
            target = content.read(LONGEST_TARGET).decode(errors="replace")
        return Entry(info.filename, "link", str(PurePosixPath(info.filename).parent / target))
    return Entry(info.filename, "folder" if info.is_dir() else "file", content=lambda: zipped.open(info))


def _tar_entries(tarred: tarfile.TarFile) -> Iterator[Entry]:
    for member in tarred:
        if member.islnk():  # a hard link names its target from the top of the archive
            yield Entry(member.name, "link", member.linkname)
        elif member.issym():
            yield Entry(member.name, "link", str(PurePosixPath(member.name).parent / member.linkname))
        elif member.isreg():
            yield Entry(member.name, "file", content=partial(tarred.extractfile, member))
        else:
            yield Entry(member.name, "folder" if member.isdir() else "device")
        tarred.members.clear()  # type: ignore[attr-defined]  # else all of them stay in memory
    while tarred.fileobj.read(PIECE_BYTES):  # to the checksum at the end
        pass


def _checked_name(entry: Entry) -> PurePosixPath:
    """Return the path of an entry below the folder.

    Raises:
        ArchiveRejected: it, or the target of its link, lies outside, or it is a device.
    """
    shown = repr(entry.name[:200])
    if entry.kind == "device":
        raise ArchiveRejected(f"{shown} is a device or a pipe")
    if _is_outside(entry.name) or "\0" in entry.name:
        raise ArchiveRejected(f"{shown} lies outside of the folder")
    if entry.kind == "link" and _is_outside(_collapsed(entry.target)):
        raise ArchiveRejected(f"{shown} is a link out of the folder")
    return PurePosixPath(entry.name)


def _is_outside(name: str) -> bool:
    windows = PureWindowsPath(name)
    return PurePosixPath(name).is_absolute() or bool(windows.anchor) or ".." in windows.parts


def _collapsed(name: str) -> str:
    """Return a path with each `..` taken together with the name before it."""
    if PurePosixPath(name).is_absolute():
        return name
    parts: list[str] = []
    for part in PurePosixPath(name).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _make_folder(path: Path, entry: Entry) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ArchiveRejected(f"{entry.name[:200]!r} is a file and a folder") from None


def _write(entry: Entry, path: Path, most_bytes: int) -> int:
    """Write one file, which must be new, and return its size; on a file system that folds case, names too."""
    _make_folder(path.parent, entry)
    try:
        content, written = entry.content(), 0
        if content is None:
            raise ArchiveRejected(f"{entry.name[:200]!r} has no content")
        with content, path.open("xb") as file:
            while piece := content.read(PIECE_BYTES):
                written += len(piece)
                if written > most_bytes:
                    raise ArchiveRejected("it unpacks to more bytes than stated")
                file.write(piece)
    except (FileExistsError, IsADirectoryError):
        raise ArchiveRejected(f"{entry.name[:200]!r} is there twice") from None
    return written
