"""A hash of the files in a folder, for archives whose own bytes are not stable.

GitHub makes the archive of a tag at each request, and its bytes have changed with the compressor while the
files in it had not. The hash is the SHA-256 of the lines `IDENTIFIER PATH`, sorted by path. The identifiers
are those that git gives to files, so that the hash follows from a repository without a download.
"""

import hashlib
import os
from pathlib import Path

PIECE_BYTES = 1 << 20


def contents_digest(folder: Path) -> str:
    """Return the hash of all files under ``folder``: of their paths relative to it, and of their bytes."""
    found = hashlib.sha256()
    paths = {
        os.fsencode(path.relative_to(folder).as_posix()): path for path in folder.rglob("*") if path.is_file()
    }
    for name in sorted(paths):
        found.update(b"%s %s\n" % (blob_identifier(paths[name]).encode(), name))
    return found.hexdigest()


def blob_identifier(path: Path) -> str:
    """Return the identifier that git gives to a file with these bytes."""
    found = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            found.update(piece)
    return found.hexdigest()


def top_folder(folder: Path) -> Path:
    """Return the top folder of an unpacked archive: the only one in ``folder``, else ``folder`` itself."""
    visible = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return visible[0] if len(visible) == 1 and visible[0].is_dir() else folder
