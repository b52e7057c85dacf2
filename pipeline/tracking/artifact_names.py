"""Names and places of files among the artifacts of a run: the names arrive unchanged at every store.

MLflow's client puts names into addresses as they are: a server decodes `%2F`, and cuts a name at `?` or `#`.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pipeline.common.files import data_dir
from pipeline.errors import UserError
from pipeline.tracking.store import redacted_uri

ESCAPED = frozenset("%?#=\\:;&+\"'<>|*")
"""Characters with a meaning in addresses, on other systems or in pages, and the escape character itself."""
MOST_BYTES = 255
"""Longest file name in bytes."""


def artifact_name(name: str) -> str:
    r"""Return the name of an artifact that every store keeps, which is its own for ordinary names.

    Other characters are written as in quoted-printable text (RFC 2045): `=` and two hexadecimal digits for
    each byte. That can be reversed. A name that becomes too long is shortened and ends with its hash.

    Args:
        name: path below the artifacts, with `/` between folders.

    Example:
        >>> artifact_name("sounds/talk.wav"), artifact_name("sounds/50%2F?.wav")
        ('sounds/talk.wav', 'sounds/50=252F=3F.wav')
    """
    return "/".join(_shortened(_escaped(part)) for part in name.split("/"))


def _escaped(part: str) -> str:
    return "".join(char if char.isprintable() and char not in ESCAPED else _bytes_of(char) for char in part)


def _bytes_of(char: str) -> str:
    return "".join(f"={byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))


def _shortened(part: str) -> str:
    data = part.encode()
    if len(data) <= MOST_BYTES:
        return part
    suffix = PurePosixPath(part).suffix[:16]
    end = f"={hashlib.sha256(data).hexdigest()[:16]}{suffix}"
    return data[: MOST_BYTES - len(end.encode())].decode(errors="ignore") + end


@contextmanager
def under_name(path: Path, name: str) -> Iterator[Path]:
    """Yield a path to a file whose last part is ``name``, for a client that takes the name from the path."""
    if path.name == name:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="wavecast-artifact-") as folder:
        named = Path(folder) / name
        named.symlink_to(path.absolute())
        yield named


def check_place(uri: str, address: str) -> None:
    """Check that a server names no folder of this machine for artifacts, outside those of the local store.

    Args:
        uri: the address of the store.
        address: the address of the artifacts, as the store states it.

    Raises:
        UserError: the client of a server would read or write a folder that the server chose.
    """
    scheme = urlsplit(address).scheme
    if not uri.startswith(("http://", "https://")) or scheme not in ("", "file", "models", "runs"):
        return
    folder = Path(url2pathname(urlsplit(address).path)).resolve()
    own = (data_dir() / "mlflow" / "artifacts").resolve()
    if scheme in ("models", "runs") or not folder.is_relative_to(own):
        named = f"names {address[:200]!r} as the place of files, a folder of this machine"
        advice = "start it with --serve-artifacts and --artifacts-destination"
        raise UserError(f"server at {redacted_uri(uri)}: {named}; {advice}")
