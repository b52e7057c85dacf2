"""The folder of run-time files, and atomic writing of files."""

import errno
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

SHOWN_OF_STEM = 32


def data_location() -> Path:
    """Return the folder under which everything made at run time lies, whether or not it can be used.

    ``WAVECAST_DATA`` names it. Otherwise it is ``data/`` of the checkout that the package is imported from.
    An installed package has no checkout: there it is the user's data folder, such as
    ``~/.local/share/wavecast``. So every working directory finds the same runs and models.
    """
    named = os.environ.get("WAVECAST_DATA")
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
    """Write ``value`` as indented JSON, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file; a missing or damaged one is a `UserError` that names ``what`` it should be."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such {what}") from None
    except (ValueError, OSError) as problem:
        raise UserError(f"{path}: not a readable {what} ({problem})") from None


def check_overwrite(path: Path, overwrite: bool) -> None:
    """Raise `UserError` where ``path`` exists and is not to be replaced, is no file, or cannot be read."""
    _check_regular(path)
    try:
        there = path.exists()
    except OSError as problem:
        raise UserError(f"{path}: cannot be written ({problem.strerror})") from None
    if there and not overwrite:
        raise UserError(f"{path}: exists already; give --overwrite to replace it, or another name")


def check_replacing(results: Iterable[Path], read: Iterable[Path]) -> None:
    """Raise `UserError` where a result would replace a file that is read, under any name."""
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


def is_skipped(name: str) -> bool:
    """Return whether a file of this name is never a recording: it is hidden, or a README."""
    return name.startswith(".") or name.lower().startswith("readme")
