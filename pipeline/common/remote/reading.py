"""Reading of remote files by fsspec, with retries and errors of one line; see `pipeline.common.places`."""

import hashlib
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import RecordingRejected, UserError

if TYPE_CHECKING:
    from upath import UPath

T = TypeVar("T")
ATTEMPTS = 5
FIRST_WAIT_S = 0.2
BLOCK_BYTES = 1 << 20
BUCKETS = ("s3", "s3a", "gs", "gcs")
WITHOUT_LISTING = ("http", "https")
INSTALL = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "hf": "hf"}
AWAY = (
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ClientConnectorError",
    "ClientConnectorDNSError",
    "ConnectionRefusedError",
    "gaierror",
    "ProxyConnectionError",
)
CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "TokenRetrievalError",
    "DefaultCredentialsError",
}


def open_place(address: str, scheme: str) -> "UPath":
    """Return the `UPath` of an address.

    Raises:
        UserError: its scheme is unknown, or the package that reads it is not installed.
    """
    from upath import UPath

    options: dict[str, Any] = {}
    if scheme in ("s3", "s3a"):
        options["config_kwargs"] = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 2}}
    try:
        place: UPath = UPath(address, **options)
        place.fs  # noqa: B018  the package of the scheme is imported here
    except ImportError as problem:
        extra = INSTALL.get(scheme)
        remedy = f"pip install 'wavecast[{extra}]'" if extra else " ".join(str(problem).split())
        raise UserError(f"{address}: a package that reads {scheme}:// is missing: {remedy}") from None
    except (ValueError, TypeError, OSError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise UserError(f"{address}: not an address that can be read ({reason})", 2) from None
    return place


def exists_remotely(place: "UPath") -> bool:
    """Return whether a remote file or folder exists."""
    return _named(place, lambda: bool(place.fs.exists(place.path) or _listing(place)))


def is_remote_folder(place: "UPath") -> bool:
    """Return whether an address is a folder; one of https never is."""
    if place.protocol in WITHOUT_LISTING:
        if str(place).endswith("/"):
            raise _not_listed(place)
        return False
    return _named(place, lambda: bool(place.fs.isdir(place.path)))


def _not_listed(place: "UPath") -> UserError:
    return UserError(f"{place}: a folder cannot be listed over {place.protocol}; name files, or a table")


def _listing(place: "UPath") -> bool:
    """Return whether a bucket can be listed, so that a missing one and a denied one raise their reasons."""
    if place.protocol in WITHOUT_LISTING:
        return False
    try:
        return bool(place.fs.ls(place.path))
    except FileNotFoundError:
        bucket = place.path.partition("/")[0]
        if place.protocol in BUCKETS and not place.fs.exists(bucket):
            raise _no_bucket() from None
        return False


def forget_listings(places: Iterable["UPath"]) -> None:
    """Forget what servers listed before, which may have changed."""
    for system in {id(place.fs): place.fs for place in places}.values():
        system.invalidate_cache()


def listed_below(root: "UPath") -> Iterator[tuple["UPath", int]]:
    """Yield the files below a remote folder in sorted order, with their sizes; hidden ones are left out."""
    if root.protocol in WITHOUT_LISTING:
        raise _not_listed(root)
    yield from _files_of(root, _named(root, lambda: root.fs.find(root.path, detail=True)))


def beside_file(place: "UPath", levels: int, known: set[str]) -> list[tuple["UPath", int]] | None:
    """Return the files beside a file, see `pipeline.common.places.listed_beside`."""
    if place.protocol in WITHOUT_LISTING:
        return None
    found: list[tuple[UPath, int]] = []
    for folder in list(place.parents)[:levels]:
        if not folder.path.strip("/") or str(folder) in known:
            continue
        known.add(str(folder))
        if levels == 1:
            found += listed_below(folder)
        else:
            names = _named(folder, partial(folder.fs.ls, folder.path, detail=True))
            found += _files_of(folder, {facts["name"]: facts for facts in names})
    return found


def _files_of(root: "UPath", found: dict[str, dict[str, Any]]) -> Iterator[tuple["UPath", int]]:
    start = root.fs._strip_protocol(root.path).rstrip("/") + "/"
    base, kind, options = str(root).rstrip("/"), type(root), root.storage_options
    for name, facts in sorted(found.items()):
        below = name.removeprefix(start)
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in below.split("/"))
        if facts.get("type") == "file" and below and not below.endswith("/") and not hidden:
            yield kind(f"{base}/{below}", **options), int(facts.get("size") or 0)


def with_open(place: "UPath", work: Callable[[Any], None]) -> None:
    """Call ``work`` with the file, opened for reading at any position."""

    def read() -> None:
        with place.fs.open(place.path, "rb", block_size=BLOCK_BYTES, cache_type="readahead") as file:
            work(file)

    _named(place, read)


def _named(place: "UPath", work: Callable[[], T]) -> T:
    """Return what ``work`` returns; a rejection names the place."""
    try:
        return _attempted(place, work)
    except RecordingRejected as problem:
        raise problem.about(place) from None


def remote_stamp(place: "UPath") -> tuple[int, int]:
    """Return the size of a remote file, and a number from its entity tag and modification time."""
    facts = _attempted(place, lambda: place.fs.info(place.path))
    marks = [str(facts.get(key)) for key in ("ETag", "etag", "md5Hash", "LastModified", "mtime", "created")]
    digest = hashlib.sha256("\n".join(marks).encode()).digest()
    return int(facts.get("size") or 0), int.from_bytes(digest[:7], "big")


def first_bytes(place: "UPath", at_most: int) -> bytes:
    """Return the first bytes of a remote file."""

    def read() -> bytes:
        with place.fs.open(place.path, "rb", cache_type="none") as file:
            return bytes(file.read(at_most))

    return _attempted(place, read)


@contextmanager
def temporary_copy(place: "UPath") -> Iterator[Path]:
    """Yield a temporary local copy of a remote file, with the same name."""
    with tempfile.TemporaryDirectory(prefix="wavecast-") as folder:
        target = Path(folder, Path(place.name).name[-128:] or "file")
        fetch(place, target)
        yield target


def fetch(place: "UPath", target: Path) -> None:
    """Copy a remote file to ``target`` in pieces; the size is checked, and failures are retried."""

    def copy() -> None:
        facts = place.fs.info(place.path)
        size = facts.get("size")
        with target.open("wb") as local, place.fs.open(place.path, "rb", cache_type="readahead") as remote:
            while block := remote.read(BLOCK_BYTES):
                local.write(block)
            written = local.tell()
        if size is not None and written != size:
            raise _Truncated(f"{written} of {size} bytes arrived")

    _attempted(place, copy)


class _Truncated(OSError):
    """A copy that is shorter or longer than the server's listing says."""


def _attempted(place: "UPath", work: Callable[[], T]) -> T:
    """Return what ``work`` returns; failures that may pass are retried with growing waits."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except UserError:
            raise
        except Exception as problem:
            refused = _lasting(place, problem)
            if refused is not None:
                raise refused from None
            if attempt == ATTEMPTS:
                raise _given_up(place, problem) from None
            if isinstance(problem, _Truncated):
                place.fs.invalidate_cache()
        time.sleep(FIRST_WAIT_S * 2 ** (attempt - 1) * (0.5 + random.random()))
    raise AssertionError


def _lasting(place: "UPath", problem: BaseException) -> UserError | None:
    """Return the error for a lasting failure; None where another attempt may succeed."""
    names = {type(each).__name__ for each in _chain(problem)}
    texts = " ".join(str(each) for each in _chain(problem))
    if names & CREDENTIALS:
        return UserError(f"{place}: no credentials for {place.protocol}://; set them in the environment")
    if "NoSuchBucket" in texts or "bucket does not exist" in texts:
        return _no_bucket()
    if "InvalidAccessKeyId" in texts or "SignatureDoesNotMatch" in texts or "ExpiredToken" in texts:
        return UserError(f"{place}: the server does not accept the credentials")
    if isinstance(problem, PermissionError):
        return RecordingRejected("not-fetched", "could not be fetched: access is denied")
    if isinstance(problem, FileNotFoundError):
        return RecordingRejected("missing", "no such file")
    return None


def _no_bucket() -> RecordingRejected:
    return RecordingRejected("missing", "there is no such bucket")


def _given_up(place: "UPath", problem: BaseException) -> UserError:
    """Return the error after the last attempt: the whole server is away, or only this file fails."""
    if any(type(each).__name__ in AWAY for each in _chain(problem)):
        host = f"{place.protocol}://{str(place).partition('://')[2].partition('/')[0]}"
        return UserError(
            f"{place}: the server of {host} cannot be reached; check the address and the network"
        )
    reason = " ".join(str(problem).split())[:120] or type(problem).__name__
    return RecordingRejected("not-fetched", f"could not be fetched in {ATTEMPTS} attempts ({reason})")


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    while problem is not None:
        yield problem
        problem = problem.__cause__ or problem.__context__
