"""What the tests of manifests compare: the facts of each source, in the manifest's order."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.data.corpora.manifests import folder_manifest, read_manifest
from pipeline.data.corpora.source import Source

Facts = tuple[str, str | None, str | None]
Times = tuple[str, float, float | None]


def read(path: Path, speaker_column: str | None = None) -> list[Source]:
    """Return the sources of a file or folder that must be a manifest."""
    sources = folder_manifest(path) if path.is_dir() else read_manifest(path, speaker_column)
    assert sources is not None
    return sources


def facts(sources: Iterable[Source]) -> list[Facts]:
    """Return file name, group and split of each source that can be used."""
    return [(s.path.name, s.group, s.split) for s in sources if s.reason is None]


def times(sources: Iterable[Source]) -> list[Times]:
    """Return file name, start and duration of each source that can be used."""
    return [(s.path.name, s.start_seconds, s.seconds) for s in sources if s.reason is None]


def reasons(sources: Iterable[Source]) -> list[str]:
    """Return the reasons of those that cannot, each one line."""
    found = [s.reason for s in sources if s.reason is not None]
    assert all(reason and "\n" not in reason for reason in found)
    return found
