"""A local server, and sets whose files it has."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipeline.data.public.answers import Patience
from pipeline.data.public.table import PublicSet
from tests.helpers.broken_server import Server, serving

HURRIED = Patience(5, 5, tries=3, first_wait_seconds=0.01, slowest_bytes=1000, slow_seconds=0.15)
HASTY = replace(HURRIED, stall_seconds=0.2)
"""For answers that stall. On a loaded machine others, too, may take as long."""


def archive_of(files: dict[str, bytes]) -> bytes:
    """Return a tar.gz archive of files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def set_of(content: bytes, *addresses: str, **changed: object) -> PublicSet:
    """Return a set whose file has this content, and is checked by its hash and size."""
    facts = {"title": "A set", "kind": "speech", "licence": "CC0", "homepage": "https://example.org"}
    facts |= {"citation": "Someone, 2020.", "facts": "Somewhere.", "name": "some-set"}
    checks = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return PublicSet.model_validate({**facts, **checks, "addresses": addresses, **changed})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


@pytest.fixture
def said() -> list[str]:
    """Sentences that a download reports."""
    return []
