"""A temporary folder with the layout of remote corpora: tables and lists whole, recordings empty.

Layouts, manifests and side files are found in it by the same code as in any folder. What was found is then
named by its addresses again. No recording is fetched.
"""

import re
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pipeline.common.places import (
    Place,
    exists,
    files_below,
    forget_listings,
    is_folder,
    is_remote,
    listed_beside,
    local_copy,
    place_of,
    read_bytes,
    rooted,
)
from pipeline.data.corpora.remote.parquet_shape import write_shape
from pipeline.data.corpora.side_files import HEAD_BYTES, RECORDING_SUFFIXES, SIDE_SUFFIXES
from pipeline.data.corpora.source import Source
from pipeline.errors import RecordingRejected

if TYPE_CHECKING:
    from upath import UPath

REQUESTS = 16
"""Files that are fetched at the same time."""
MOST_SIDE_FILES = 2_000
"""With more side files than these, deep ones are judged by their names alone."""
DEEP = 3
WHOLE_BYTES = 4 << 20
LEVELS_ABOVE = 3
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".scp", ".psv", ".tab")
LISTS = (".txt", ".lst", ".list", ".m3u", ".m3u8")


class Mirror:
    """The layout of remote places, below a temporary folder: `s3://bucket/x` is `FOLDER/s3:/bucket/x`.

    Paths of this machine are their own. Use it as a context manager: the folder is removed at its end.
    """

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="wavecast-layout-")
        self.folder = Path(self._temporary.name)
        self._addresses: dict[Path, str] = {}
        self._listed: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._temporary.cleanup()

    def shown(self, inputs: Sequence[Place]) -> list[Path]:
        """Return paths for what a user named; a remote folder or table is shown with what lies in it.

        Raises:
            UserError: a remote input is missing, or cannot be listed or read.
        """
        forget_listings(inputs)
        return [self._shown(place) if is_remote(place) else self.path_of(place) for place in inputs]

    def path_of(self, place: Place) -> Path:
        """Return the path that stands for a place."""
        if isinstance(place, Path):
            return place
        address = str(place)
        scheme, _, rest = address.partition("://")
        parts = [part if part not in ("", ".", "..") else f"{part}_" for part in rest.rstrip("/").split("/")]
        path = Path(self.folder, f"{scheme}:", *parts)
        self._addresses.setdefault(path, address)
        return path

    def place_at(self, path: Place) -> Place:
        """Return the place that a path stands for."""
        if not isinstance(path, Path) or not path.is_relative_to(self.folder):
            return path
        parts = path.relative_to(self.folder).parts
        if len(parts) < 2:
            return Path("/")
        return place_of(self._addresses.get(path) or f"{parts[0]}//{'/'.join(parts[1:])}")

    def source_at(self, source: Source) -> Source:
        """Return a source with the place that its path stands for."""
        reason = source.reason and self.readable(source.reason)
        return replace(source, path=self.place_at(source.path), reason=reason)

    def readable(self, text: str) -> str:
        """Return a message with addresses in place of the paths that stand for them."""
        return re.sub(rf"{re.escape(str(self.folder))}/([A-Za-z0-9+.-]+):/", r"\1://", text)

    def _shown(self, place: "UPath") -> Path:
        path = self.path_of(place)
        if is_folder(place):
            path.mkdir(parents=True, exist_ok=True)
            self._show(files_below(place), len(path.parts))
        elif not exists(place):
            raise RecordingRejected("missing", "no such file or folder").about(place)
        else:
            self._show_file(place, path)
        return path

    def _show_file(self, place: "UPath", path: Path) -> None:
        """Show a file, and the tables and lists that may describe it or the recordings that it may name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        is_recording = path.suffix.lower() in RECORDING_SUFFIXES
        if is_recording:
            path.touch()
        else:
            _fetch(place, path, whole=True)
        beside = listed_beside(place, 1 if not is_recording else LEVELS_ABOVE, self._listed)
        if beside is None:
            _show_lines(path)
        else:
            self._show(beside, 0)

    def _show(self, places: Iterable[tuple["UPath", int]], depth: int) -> None:
        side: list[tuple[UPath, int, Path]] = []
        for place, size in places:
            path = self.path_of(place)
            if path.exists():
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            except OSError as problem:
                reason = f"its name can be no file's here ({problem.strerror})"
                raise RecordingRejected("not-fetched", reason).about(place) from None
            if path.suffix.lower() not in RECORDING_SUFFIXES and size:
                side.append((place, size, path))
        many = len(side) > MOST_SIDE_FILES
        with ThreadPoolExecutor(REQUESTS) as pool:
            list(pool.map(partial(_show_side_file, many=many, depth=depth), side))


def _show_side_file(found: tuple["UPath", int, Path], many: bool, depth: int) -> None:
    place, size, path = found
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix == ".parquet":
        write_shape(place, path)
        return
    is_table = suffix in TABLES
    by_name = suffix in SIDE_SUFFIXES or suffix in LISTS
    if many and by_name and not is_table and depth and len(path.parts) - depth >= DEEP:
        path.write_text("not fetched")
        return
    other = path.suffix.lower() in SIDE_SUFFIXES and not is_table
    _fetch(place, path, whole=is_table or (size <= WHOLE_BYTES and not other))


def _fetch(place: "UPath", path: Path, whole: bool) -> None:
    try:
        if not whole:
            path.write_bytes(read_bytes(place, HEAD_BYTES))
        elif path.suffix.lower() == ".parquet":
            write_shape(place, path)
        else:
            with local_copy(place) as copy:
                path.write_bytes(copy.read_bytes())
    except RecordingRejected as problem:
        raise problem.about(place) from None


def _show_lines(path: Path) -> None:
    """Show the files that a list names where its folder cannot be listed, as over https."""
    if path.suffix.lower() not in LISTS:
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name = line.strip()
        file = rooted(path.parent / name)
        if (
            name
            and "://" not in name
            and isinstance(file, Path)
            and file.suffix.lower() in RECORDING_SUFFIXES
        ):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
