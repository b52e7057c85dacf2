"""Corpora whose own tables and manifests describe them, each behind one function."""

from pathlib import Path

from pipeline.data.corpora.source import Source


def manifest_sources(path: Path) -> list[Source] | None:
    """Return the sources of a manifest; None where the file is none."""
    return None


def folder_sources(folder: Path) -> list[Source] | None:
    """Return the sources that the tables in a folder describe; None where it has none."""
    return None
