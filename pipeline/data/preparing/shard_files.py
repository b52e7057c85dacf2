"""Finished shards on their way to the store: rows and a description, in a folder or at an fsspec address.

A shard is complete when its description is there: it is written last, and atomically. The name of a shard
follows from its sources and their state, so an interrupted preparation finds those that are complete.
"""

import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from pipeline.common.checked_lines import DamagedLine, checked_line, read_checked_line
from pipeline.common.files import atomic_path
from pipeline.errors import UserError, one_line

Result = TypeVar("Result")
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.2


class ShardFiles(ABC):
    """The place of the shards of one preparation; it can be sent to another process or machine."""

    @abstractmethod
    def description(self, name: str) -> dict[str, Any] | None:
        """Return the description of a complete shard, None where there is none."""

    @abstractmethod
    def write(self, name: str, rows: Path, description: dict[str, Any]) -> None:
        """Move the file of a shard's rows to its place, then write the description."""

    @abstractmethod
    def open_rows(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open the rows of a complete shard."""

    @abstractmethod
    def remove(self, names: list[str]) -> None:
        """Remove shards that the store has."""

    @abstractmethod
    def clear(self) -> None:
        """Remove everything that is left."""

    @property
    def scratch(self) -> Path | None:
        """The folder for rows that are being written; None for that of temporary files."""
        return None


class LocalShardFiles(ShardFiles):
    """Shards in a folder, which all workers see under the same path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def scratch(self) -> Path:
        """The folder itself: the rows are renamed, not copied."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder

    def description(self, name: str) -> dict[str, Any] | None:
        """Return the description of a complete shard, None where there is none."""
        try:
            found = _read(self._path(name, "json").read_bytes())
            whole = found is not None and self._path(name, "rows").stat().st_size == found["bytes"]
        except OSError:
            return None
        return found if whole else None

    def write(self, name: str, rows: Path, description: dict[str, Any]) -> None:
        """Move the file of a shard's rows to its place, then write the description."""
        rows.replace(self._path(name, "rows"))
        with atomic_path(self._path(name, "json")) as temporary:
            temporary.write_text(checked_line(description))

    def open_rows(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open the rows of a complete shard."""
        return self._path(name, "rows").open("rb")

    def remove(self, names: list[str]) -> None:
        """Remove shards that the store has."""
        for name in names:
            for suffix in ("json", "rows"):
                self._path(name, suffix).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything that is left."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}.{suffix}"


class RemoteShardFiles(ShardFiles):
    """Shards at an address of fsspec, such as `s3://bucket/prefix`; failed requests are repeated."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def description(self, name: str) -> dict[str, Any] | None:
        """Return the description of a complete shard, None where there is none."""
        with suppress(FileNotFoundError):
            return _read(self._repeat(lambda fs, root: fs.cat_file(f"{root}/{name}.json")))
        return None

    def write(self, name: str, rows: Path, description: dict[str, Any]) -> None:
        """Move the file of a shard's rows to its place, then write the description."""
        data = checked_line(description).encode()
        self._repeat(lambda fs, root: fs.put_file(str(rows), f"{root}/{name}.rows"))
        self._repeat(lambda fs, root: fs.pipe_file(f"{root}/{name}.json", data))
        rows.unlink()

    def open_rows(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open the rows of a complete shard, copied to a temporary file."""
        file = tempfile.NamedTemporaryFile(suffix=".rows")  # noqa: SIM115  the caller closes it
        self._repeat(lambda fs, root: fs.get_file(f"{root}/{name}.rows", file.name))
        return file

    def remove(self, names: list[str]) -> None:
        """Remove shards that the store has."""
        for name in names:
            for suffix in ("json", "rows"):
                self._repeat(lambda fs, root, file=f"{name}.{suffix}": _remove(fs, f"{root}/{file}"))

    def clear(self) -> None:
        """Remove everything that is left."""
        self._repeat(lambda fs, root: _remove(fs, root, recursive=True))

    def _repeat(self, call: Callable[..., Result]) -> Result:
        """Return the result of a call with file system and path; repeat it while the server fails."""
        import fsspec

        for attempt in range(ATTEMPTS):
            try:
                return call(*fsspec.core.url_to_fs(self.address, skip_instance_cache=attempt > 0))
            except FileNotFoundError:
                raise
            except Exception as problem:  # whatever the library of this kind of address raises
                if attempt == ATTEMPTS - 1:
                    raise UserError(f"{self.address}: cannot be used ({one_line(str(problem))})") from None
                time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        raise AssertionError


def _remove(file_system: Any, path: str, recursive: bool = False) -> None:
    with suppress(FileNotFoundError):
        file_system.rm(path, recursive=recursive)


def _read(data: bytes) -> dict[str, Any] | None:
    """Return the description, None where it is damaged: the shard is then converted again."""
    try:
        return read_checked_line(data)
    except DamagedLine:
        return None


def shard_files(address: str | None, store: Path) -> ShardFiles:
    """Return the place of the shards of ``store``: within it, or under the address that all workers reach."""
    if address is None:
        return LocalShardFiles(store.absolute() / ".shards")
    if "://" not in address:
        return LocalShardFiles(Path(address).absolute() / store.name)
    return RemoteShardFiles(f"{address.rstrip('/')}/{store.name}")
