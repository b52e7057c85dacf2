"""Writing of rows behind all others, on the disk that has room for them.

With several folders, a piece of `PIECE_BYTES` is followed by one on the disk with most free space. What one
appends at once lies in one file: where it does not fit, the piece ends before it.
"""

import errno
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO, TypeVar

from pipeline.common.files import atomic_path
from pipeline.data.store.disk import RESERVE_BYTES, free_bytes
from pipeline.data.store.pieces import ALIGNMENT_BYTES, FOLDERS, Piece, piece_name, pieces_of, read_bytes
from pipeline.errors import UserError

PIECE_BYTES = 1 << 30
FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
"""No space, no quota, or a file larger than its file system or a limit allows."""
Result = TypeVar("Result")


class RowWriter:
    """The end of a store's rows; one writer at a time.

    Attributes:
        store: the folder of the store.
        places: the folders for new pieces; the store itself where none is named.
    """

    def __init__(self, store: Path, folders: Sequence[Path] = ()) -> None:
        self.store = store
        self.places = [folder.resolve() for folder in folders] or [store]
        self._uncommitted: set[Path] = set()

    def write(self, position: int, write: Callable[[IO[bytes]], Result]) -> Result:
        """Cut the rows off at a byte, and write others there.

        Args:
            position: the number of bytes that stay.
            write: called with the file in which the rows go on; once more for each disk that is full.

        Raises:
            UserError: all disks are full.
        """
        last = self._last_piece(position)
        free = {place: free_bytes(place) for place in self.places}
        if last is not None and self._goes_on(last, position, free):
            with suppress(_Full):
                return self._write_in(last, position, write)
            free.pop(last.place)
        for place in sorted(free, key=lambda place: -free[place]):
            with suppress(_Full):
                return self._write_in(self._begin(position, place), position, write)
        names = ", ".join(map(str, self.places))
        advice = "free some, or name a further folder in preparation.folders; the same command resumes"
        raise UserError(f"{names}: no space is left for rows; {advice}")

    def commit(self) -> None:
        """Make everything written so far permanent."""
        for path in self._uncommitted:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        self._uncommitted.clear()

    def _last_piece(self, position: int) -> Piece | None:
        """Return the piece with a position, None without one; those behind it were never committed."""
        last = None
        for piece in pieces_of(self.store):
            if piece.begin <= position:
                last = piece
            else:
                self._uncommitted.discard(piece.path)
                _remove(piece.path)
        return last

    def _goes_on(self, last: Piece, position: int, free: dict[Path, int]) -> bool:
        """Return whether rows are written behind those of the last piece."""
        if len(free) == 1 or last.place not in free:
            return last.place in free
        has_room = free[last.place] > RESERVE_BYTES or max(free.values()) <= RESERVE_BYTES
        return has_room and position - last.begin < PIECE_BYTES

    def _write_in(self, piece: Piece, position: int, write: Callable[[IO[bytes]], Result]) -> Result:
        self._uncommitted.add(piece.path)
        try:
            with piece.path.open("r+b") as file:
                file.truncate(position - piece.begin)
                file.seek(position - piece.begin)
                return write(file)
        except OSError as problem:
            if problem.errno not in FULL:
                raise
            os.truncate(piece.path, position - piece.begin)
            raise _Full from None

    def _begin(self, position: int, place: Path) -> Piece:
        """Begin a piece, with the few bytes between its begin and the position."""
        begin = position - position % ALIGNMENT_BYTES
        piece = Piece(begin, self.store / piece_name(begin))
        former = piece.path.resolve() if piece.path.is_symlink() else None
        first = read_bytes(self.store, begin, position)
        try:
            if place == self.store:
                with atomic_path(piece.path) as temporary:
                    temporary.write_bytes(first)
            else:
                _link(piece.path, folder_in(place, self.store), first)
        except OSError as problem:
            if problem.errno not in FULL:
                raise
            raise _Full from None
        if former is not None:
            former.unlink(missing_ok=True)
        return piece


class _Full(Exception):
    """The disk of a piece is full."""


def folder_in(place: Path, store: Path) -> Path:
    """Return the folder for the rows of a store in a place, by a link beside the store, which may be new."""
    links = store.resolve().parent / FOLDERS
    links.mkdir(exist_ok=True)
    for link in links.iterdir():
        if link.is_dir() and link.resolve().parent == place:
            (link / store.name).mkdir(exist_ok=True)
            return link / store.name
    folder = place / f"wavecast-rows-{secrets.token_hex(4)}"
    (folder / store.name).mkdir(parents=True)
    for number in count(1):
        with suppress(FileExistsError):
            (links / str(number)).symlink_to(folder)
            return links / str(number) / store.name
    raise AssertionError


def _link(path: Path, folder: Path, content: bytes) -> None:
    """Write a new file in a folder, and let ``path`` be a link to it."""
    file = folder / f"{path.stem}-{secrets.token_hex(4)}.bin"
    try:
        with file.open("xb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        link = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.bin")
        link.symlink_to(os.path.relpath(file, path.parent.resolve()))
        link.replace(path)
    except OSError:
        file.unlink(missing_ok=True)
        raise


def _remove(path: Path) -> None:
    """Remove a piece: its name in the store first, then the file."""
    file = path.resolve()
    path.unlink()
    file.unlink(missing_ok=True)
