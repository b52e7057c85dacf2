"""Places that files are read from: paths of this machine, and addresses such as `s3://bucket/folder`."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard
from urllib.parse import parse_qsl, unquote, urlsplit

from pipeline.common.files import absolute, expanded
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


def is_remote(place: "Place") -> "TypeGuard[UPath]":
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
    from pipeline.common.remote.reading import open_place

    return open_place(name, scheme)


def rooted(place: Place) -> Place:
    """Return the absolute path of a local place with `~` expanded; an address is returned unchanged."""
    return absolute(expanded(place)) if isinstance(place, Path) else place


def named_place(name: "str | Place") -> str:
    """Return the text of a place that a user named: an absolute path, or the address."""
    place = place_of(name)
    return str(expanded(place).absolute()) if isinstance(place, Path) else str(place)


def exists(place: Place) -> bool:
    """Return whether the place exists; an address that cannot be asked about is a `UserError`."""
    if isinstance(place, Path):
        return os.path.exists(place)  # noqa: PTH110  Path.exists raises where a folder may not be entered
    from pipeline.common.remote.reading import exists_remotely

    return exists_remotely(place)


def is_folder(place: Place) -> bool:
    """Return whether the place is a folder. An address of https is always a file."""
    if isinstance(place, Path):
        return os.path.isdir(place)  # noqa: PTH112  Path.is_dir raises for a name that is too long
    from pipeline.common.remote.reading import is_remote_folder

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
    from pipeline.common.remote.reading import remote_stamp

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
    from pipeline.common.remote.reading import temporary_copy

    with temporary_copy(place) as path:
        yield path


def read_bytes(place: Place, at_most: int) -> bytes:
    """Return the first ``at_most`` bytes of a file."""
    if isinstance(place, Path):
        with place.open("rb") as file:
            return file.read(at_most)
    from pipeline.common.remote.reading import first_bytes

    return first_bytes(place, at_most)


def forget_listings(places: Iterable[Place]) -> None:
    """Forget what servers listed before, so that remote ones among ``places`` are listed again."""
    remote = [place for place in places if is_remote(place)]
    if remote:
        from pipeline.common.remote import reading

        reading.forget_listings(remote)


def files_below(root: "UPath") -> Iterator[tuple["UPath", int]]:
    """Yield the files below a remote folder, by one recursive listing, with their sizes; none is hidden.

    Raises:
        UserError: the folder cannot be listed.
    """
    from pipeline.common.remote.reading import listed_below

    yield from listed_below(root)


def listed_beside(place: "UPath", levels: int, known: set[str]) -> list[tuple["UPath", int]] | None:
    """Return the files beside a remote file.

    Args:
        place: the file.
        levels: 1 lists all below its folder; more list as many folders above it, each without what is below.
        known: addresses of folders that were listed before, which are left out; new ones are added.

    Returns:
        The files with their sizes, or None where the server lists nothing.
    """
    from pipeline.common.remote.reading import beside_file

    return beside_file(place, levels, known)


def opened(place: "UPath", work: Callable[[Any], None]) -> None:
    """Call ``work`` with a remote file, opened for reading at any position; it is repeated after failures."""
    from pipeline.common.remote.reading import with_open

    with_open(place, work)


def place_named(label: str) -> Place:
    """Return the place of a name that a program wrote, such as one of a manifest; it is not checked."""
    return place_of(label) if is_address(label) else Path(label)


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
