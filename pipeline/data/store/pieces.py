"""The rows of a store as one sequence of bytes: one file, or pieces on several disks.

    rows.bin                 the bytes from 0 on
    rows-1073741824.bin      those from 1,073,741,824 on, and so on
    ../.folders/1            a link to the first folder of `preparation.folders` that rows were written to

A piece in such a folder is a symbolic link of the store. It leads through `.folders`, so that one link is
changed after a disk was mounted elsewhere. A piece ends where the next one begins, whatever its file has
behind. Pieces begin at multiples of `ALIGNMENT_BYTES`, so their maps join to one array without a gap.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError

ALIGNMENT_BYTES = 1 << 16
"""A multiple of the size of a page of memory, which is 4 to 64 KiB."""
FOLDERS = ".folders"
NAME = re.compile(r"rows(?:-(\d+))?\.bin")


@dataclass(frozen=True)
class Piece:
    """The bytes of a store's rows from ``begin`` on, in a file of the store, which may be a link."""

    begin: int
    path: Path

    @property
    def place(self) -> Path:
        """The folder of `preparation.folders` in which it lies, or the store."""
        if not self.path.is_symlink():
            return self.path.parent
        above = self.path.resolve().parents
        return above[min(2, len(above) - 1)]


def piece_name(begin: int) -> str:
    """Return the name of the piece that begins at a byte."""
    return f"rows-{begin}.bin" if begin else "rows.bin"


def pieces_of(store: Path) -> list[Piece]:
    """Return the pieces of a store in order, also those whose disk is away."""
    names = [found for entry in os.scandir(store) if (found := NAME.fullmatch(entry.name))]
    return sorted((Piece(int(name[1] or 0), store / name[0]) for name in names), key=lambda each: each.begin)


def pieces_within(store: Path, size: int) -> list[tuple[Piece, int]]:
    """Return the pieces that have the first ``size`` bytes of rows, each with how many of them it has.

    Raises:
        UserError: the disk of a piece is away.
        ValueError: there are fewer bytes.
    """
    if not size:
        return []
    pieces = [piece for piece in pieces_of(store) if piece.begin < size]
    if not pieces or pieces[0].begin:
        raise ValueError(f"{store / piece_name(0)} is missing")
    ends = [*(piece.begin for piece in pieces[1:]), size]
    found = [(piece, end - piece.begin) for piece, end in zip(pieces, ends, strict=True)]
    for piece, length in found:
        _require(piece, length)
    return found


def read_bytes(store: Path, begin: int, end: int) -> bytes:
    """Return bytes of a store's rows; raises as `pieces_within`."""
    parts = []
    for path, position, size in _parts(store, begin, end):
        with path.open("rb") as file:
            file.seek(position)
            parts.append(file.read(size))
    return b"".join(parts)


def replace_bytes(store: Path, begin: int, data: bytes) -> None:
    """Write over bytes of a store's rows, and make them permanent; raises as `pieces_within`."""
    done = 0
    for path, position, size in _parts(store, begin, begin + len(data)):
        with path.open("r+b") as file:
            file.seek(position)
            file.write(data[done : done + size])
            file.flush()
            os.fsync(file.fileno())
        done += size


def _parts(store: Path, begin: int, end: int) -> Iterator[tuple[Path, int, int]]:
    """Yield where bytes of the rows are: a file, a position in it, and a number of bytes."""
    for piece, length in pieces_within(store, end):
        first = max(begin, piece.begin)
        if first < piece.begin + length:
            yield piece.path, first - piece.begin, piece.begin + length - first


def _require(piece: Piece, length: int) -> None:
    """Raise where a piece is away, or has fewer bytes than ``length``."""
    try:
        there = piece.path.stat().st_size
    except FileNotFoundError:
        file, store = piece.path.resolve(), piece.path.parent
        missing = next((above for above in reversed(file.parents) if not above.exists()), file)
        advice = f"mount its disk, or change the link in {store.parent / FOLDERS} that leads there"
        raise UserError(f"{missing}: not there, but rows of {store} are in it; {advice}") from None
    if there < length:
        raise ValueError(f"{piece.path} has {there:,} of {length:,} bytes")


def bytes_there(store: Path) -> int:
    """Return the number of bytes up to the end of the last piece, whether or not they are in use."""
    return sum(piece.begin + piece.path.stat().st_size for piece in pieces_of(store)[-1:])


def files_elsewhere(store: Path) -> list[Path]:
    """Return the files of a store's pieces in other folders; one whose disk is away is missing."""
    return [piece.path.resolve() for piece in pieces_of(store) if piece.path.is_symlink()]
