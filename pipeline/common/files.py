"""The folder of run-time files, and atomic writing of files."""

import errno
import functools
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.common.hashing import checksum
from pipeline.errors import UserError

SHOWN_OF_STEM = 32
CHECKSUM = "checksum"
"""Key of an object's checksum in the JSON files that `write_json` writes."""
MAKE_AGAIN = "restore it from a copy, or delete it and repeat the command that wrote it"
MOST_JSON_BYTES = 1 << 31
"""Longest JSON file: the catalogue of a large corpus."""


def data_location() -> Path:
    """Return the folder under which everything made at run time lies, whether or not it can be used.

    ``WAVECAST_DATA`` names it. Otherwise it is ``data/`` of the checkout that the package is imported from.
    An installed package has no checkout: there it is the user's data folder, such as
    ``~/.local/share/wavecast``. So every working directory finds the same runs and models.
    """
    named = os.environ.get("WAVECAST_DATA")
    if named and "://" in named:
        raise UserError("WAVECAST_DATA is an address: it must be a folder of this machine", 2)
    if named:
        return expanded(named).absolute()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "data"
    import platformdirs

    return platformdirs.user_data_path("wavecast", appauthor=False).absolute()


def data_dir() -> Path:
    """Return `data_location`, which exists or can be made.

    Raises:
        UserError: the folder does not exist and the folder above it cannot be written.
    """
    folder = data_location()
    above = next(place for place in (folder, *folder.parents) if place.exists())
    if above != folder and not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        advice = "set WAVECAST_DATA to a folder that you may write in"
        raise UserError(f"{folder}: the data folder cannot be made, {above} is not writable; {advice}")
    return folder


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``target``; rename it onto ``target`` when the block ends well.

    The suffix is kept, since writers choose a format by it. When the block raises, nothing is left. Raises
    `UserError` where a folder, device or pipe has the name: it would be lost.
    """
    _check_regular(target)
    temporary = None
    try:
        temporary = _temporary_beside(target)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, str(target)) from problem
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _temporary_beside(target: Path) -> Path:
    """Create an empty file in the target's folder, which is made where it is missing, and return its path."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    # Part of the stem only: a name of the greatest length leaves no room for the random part.
    while True:
        name = f".{target.stem[:SHOWN_OF_STEM]}-{secrets.token_hex(4)}{target.suffix}"
        temporary = target.parent / name
        try:
            # The kernel applies the umask here: to read it would change it for all threads for an instant.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        return temporary


def _check_regular(path: Path) -> None:
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113  these never raise
        what = "a folder" if os.path.isdir(path) else "a device or a pipe"  # noqa: PTH112
        raise UserError(f"{path}: cannot be written: it is {what}; name a file")


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically; an object receives a checksum as its last key.

    The checksum is of the other keys in compact JSON, so that white space may be changed by other programs.
    """
    if isinstance(value, dict):
        value = {**value, CHECKSUM: _json_checksum(value)}
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def read_json(
    path: Path,
    what: str,
    shape: Any = dict[str, Any],
    advice: str = MAKE_AGAIN,
    most_bytes: int = MOST_JSON_BYTES,
) -> Any:
    """Return the value in a JSON file, without its checksum, which is verified where there is one.

    Args:
        path: the file.
        what: the kind of file, for messages.
        shape: a type that pydantic can check, such as a `TypedDict` with the required keys.
        advice: what to do about a damaged file, for messages.
        most_bytes: longest file of this kind.

    Raises:
        UserError: the file is missing, damaged, too long, or of another shape.
    """
    data = read_regular(path, what, most_bytes)
    try:
        return parse_json(data, shape)
    except ValueError as problem:
        raise UserError(f"{path}: not a readable {what} ({problem}); {advice}") from None


def parse_json(data: bytes, shape: Any = dict[str, Any]) -> Any:
    """Return the value in the bytes of a JSON file of ours, without its checksum.

    Raises:
        ValueError: the bytes are damaged, or the value is of another shape.
    """
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if isinstance(value, dict) and (stated := value.pop(CHECKSUM, None)) is not None:
        try:
            computed = _json_checksum(value)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if stated != computed:
            raise ValueError("damaged or edited: its checksum is another")
    check_shape(value, shape)
    return value


def with_checksum(value: dict[str, Any]) -> str:
    """Return an object as one line of JSON with its checksum, which `parse_json` verifies."""
    return json.dumps({**value, CHECKSUM: _json_checksum(value)})


def read_regular(path: Path, what: str, most_bytes: int) -> bytes:
    """Return the bytes of a regular file, opened once; neither a pipe nor an endless device is waited for.

    Args:
        path: the file.
        what: the kind of file, for messages.
        most_bytes: longest file of this kind.

    Raises:
        UserError: there is no such file, it is no regular file, it is longer, or it cannot be read.
    """
    try:
        # Opened without blocking: a pipe would wait for a writer.
        with open(path, "rb", opener=_open_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UserError(f"{path}: not a readable {what} (a device or a pipe, not a file)")
            if found.st_size > most_bytes:
                longest = f"{found.st_size:,} bytes, more than the {most_bytes:,} of this kind of file"
                raise UserError(f"{path}: not a readable {what} ({longest})")
            return file.read(found.st_size)
    except FileNotFoundError:
        raise UserError(f"{path}: no such {what}") from None
    except (ValueError, OSError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UserError(f"{path}: not a readable {what} ({reason})") from None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _json_checksum(value: dict[str, Any]) -> str:
    return checksum(json.dumps(value, separators=(",", ":")).encode())


def check_shape(value: Any, shape: Any) -> None:
    """Raise `ValueError` with the first difference where ``value`` is not of the type ``shape``."""
    from pydantic import ValidationError

    try:
        _type_adapter(shape).validate_python(value, strict=True)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


@functools.cache
def _type_adapter(shape: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(shape)


def check_overwrite(path: Path, overwrite: bool) -> None:
    """Check, before any work, that a result may be written to a path.

    Args:
        path: the file to be written.
        overwrite: whether an existing file may be replaced.

    Raises:
        UserError: ``path`` exists and may not be replaced, is not a regular file, or cannot be read.
    """
    _check_regular(path)
    try:
        there = path.exists()
    except OSError as problem:
        raise UserError(f"{path}: cannot be written ({problem.strerror})") from None
    if there and not overwrite:
        raise UserError(f"{path}: exists already; give --overwrite to replace it, or another name")


def check_replacing(results: Iterable[Path], read: Iterable[Path]) -> None:
    """Check that no result replaces a file that is read, under any of its names.

    Args:
        results: the files to be written.
        read: the files to be read.

    Raises:
        UserError: a result is one of the files that are read.
    """
    sources = {_identity(path) for path in read} - {None}
    for result in results:
        if sources and _identity(result) in sources:
            raise UserError(f"{result}: is read itself and would be lost; name another output")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def expanded(name: str | Path) -> Path:
    """Return the path that a user named: unchanged where it exists, else with a leading ~ expanded."""
    return Path(name if os.path.lexists(name) else os.path.expanduser(name))  # noqa: PTH111  which never raises


def absolute(path: Path) -> Path:
    """Return the path from the root, without `..`; links in it are not followed."""
    return Path(os.path.abspath(path))  # noqa: PTH100  Path.resolve would follow links
