"""Places that files are read from: paths of this machine, and addresses such as `s3://bucket/folder`."""

import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from pipeline.common.files import absolute, expanded, is_skipped
from pipeline.errors import UserError

if TYPE_CHECKING:
    from upath import UPath

    Place: TypeAlias = Path | UPath
else:
    Place = Path
"""Where a file lies: a path of this machine, or an address, for which `upath` is imported when it is used."""

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
SECRETS = re.compile(r"(?i)(^|[-_])(sig|signature|token|key|credential|password|secret|accesskeyid)$")


def is_address(text: object) -> bool:
    """Return whether ``text`` starts with a scheme, as `s3://` does; `models:/` is none."""
    return SCHEME.match(str(text)) is not None


def is_remote(place: Any) -> bool:
    """Return whether ``place`` is an address rather than a path of this machine."""
    return not isinstance(place, Path)


def place_of(text: "str | os.PathLike[str] | Place") -> Place:
    """Return the place that a text names.

    Args:
        text: a path, or an address of one of fsspec's schemes. `file://` means a path.

    Returns:
        A `Path`, or a `UPath` for an address.

    Raises:
        UserError: the address holds a password or a key, or its scheme is not supported here.
    """
    if isinstance(text, Path):
        return text
    name = str(text)
    if not is_address(name):
        return Path(name)
    _check_no_secret(name)
    scheme = name.partition("://")[0].lower()
    if scheme == "file":
        return Path(unquote(urlsplit(name).path))
    from pipeline.common.remote_files import open_place

    return open_place(name, scheme)


def rooted(place: Place) -> Place:
    """Return the absolute path of a local place with `~` expanded; an address is returned unchanged."""
    return absolute(expanded(place)) if isinstance(place, Path) else place


def named_place(name: "str | Place") -> str:
    """Return the text of a place that a user named: an absolute path, or the address."""
    place = place_of(name)
    return str(expanded(place).absolute()) if isinstance(place, Path) else str(place)


def beside(listing: Place, name: str) -> Place:
    """Return the place that a row of a table or list names: an address, or a path relative to ``listing``."""
    if is_address(name):
        return place_of(name)
    if isinstance(listing, Path) or name.startswith("/"):
        return absolute(Path(str(listing.parent), name)) if isinstance(listing, Path) else Path(name)
    scheme, _, folder = str(listing.parent).partition("://")
    return place_of(f"{scheme}://{posixpath.normpath(posixpath.join(folder, name))}")


def is_below(place: Place, folder: Place) -> bool:
    """Return whether ``place`` lies below ``folder``, by their names alone."""
    if isinstance(place, Path) or isinstance(folder, Path):
        return isinstance(place, Path) and isinstance(folder, Path) and place.is_relative_to(folder)
    return str(place).startswith(str(folder).rstrip("/") + "/")


def parts_below(place: Place, folder: Place) -> tuple[str, ...]:
    """Return the names of the folders between ``folder`` and ``place``, and the name of ``place``."""
    if isinstance(place, Path) and isinstance(folder, Path):
        return place.relative_to(folder).parts
    return tuple(str(place).removeprefix(str(folder).rstrip("/") + "/").split("/"))


def exists(place: Place) -> bool:
    """Return whether the place exists; an address that cannot be asked about is a `UserError`."""
    if isinstance(place, Path):
        return os.path.exists(place)  # noqa: PTH110  Path.exists raises where a folder may not be entered
    from pipeline.common.remote_files import exists_remotely

    return exists_remotely(place)


def is_folder(place: Place) -> bool:
    """Return whether the place is a folder. An address of https is always a file."""
    if isinstance(place, Path):
        return os.path.isdir(place)  # noqa: PTH112  Path.is_dir raises for a name that is too long
    from pipeline.common.remote_files import is_remote_folder

    return is_remote_folder(place)


def stamp(place: Place) -> tuple[int, ...]:
    """Return numbers that change when the file changes.

    Returns:
        Size, modification time, status change time (both in ns) and inode of a local file. Size and a hash of
        entity tag and modification time of a remote one.

    Raises:
        RecordingRejected: there is no such remote file, or it cannot be fetched.
        OSError: a local file cannot be looked at.
    """
    if isinstance(place, Path):
        found = place.stat()
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
    from pipeline.common.remote_files import remote_stamp

    return remote_stamp(place)


@contextmanager
def local_copy(place: Place) -> Iterator[Path]:
    """Yield a path of this machine with the content of ``place``.

    A local path is yielded itself. A remote file is copied in pieces to a temporary file with the same
    suffix, its size is checked, and it is removed when the block ends.

    Raises:
        RecordingRejected: the remote file is missing, or could not be fetched in several attempts.
        UserError: the server cannot be reached, or access is denied to all of it.
    """
    if isinstance(place, Path):
        yield place
        return
    from pipeline.common.remote_files import temporary_copy

    with temporary_copy(place) as path:
        yield path


def read_bytes(place: Place, at_most: int) -> bytes:
    """Return the first ``at_most`` bytes of a file."""
    if isinstance(place, Path):
        with place.open("rb") as file:
            return file.read(at_most)
    from pipeline.common.remote_files import first_bytes

    return first_bytes(place, at_most)


def files_below(root: Place) -> Iterator[Place]:
    """Yield every file below a folder in sorted order, hidden files and README left out.

    The order is the same for a local folder and for a copy of it on a server: the files of a folder come
    before those of its subfolders. A local folder that links lead to twice is entered once. A remote folder
    is listed with one recursive listing.

    Raises:
        UserError: a folder cannot be listed.
    """
    if isinstance(root, Path):
        yield from _local_files_below(root)
        return
    from pipeline.common.remote_files import listed_below

    yield from listed_below(root)


def _local_files_below(root: Path) -> Iterator[Path]:
    def fail(problem: OSError) -> None:
        raise UserError(f"{problem.filename}: cannot be listed ({problem.strerror})")

    entered: set[str] = set()
    for folder, subfolders, names in os.walk(absolute(root), onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:
            subfolders.clear()
            continue
        entered.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            # A link to nowhere and what may not be looked at count: the decoder rejects them with a reason.
            if not is_skipped(name) and (os.path.isfile(path) or not os.path.exists(path)):  # noqa: PTH110, PTH113
                yield path


def _check_no_secret(address: str) -> None:
    """Raise `UserError` for an address with a password or a signature, which would be stored and printed."""
    try:
        parts = urlsplit(address)
    except ValueError:
        raise UserError("an address is malformed: write it as SCHEME://HOST/PATH", 2) from None
    if "@" in parts.netloc and parts.scheme != "hf":
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    elif any(SECRETS.search(key) for key, _ in parse_qsl(parts.query, keep_blank_values=True)):
        shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
    else:
        return
    raise UserError(
        f"{shown}: the address holds a password or key, which would be stored; give credentials in the "
        "environment or in the configuration of its library",
        2,
    )
