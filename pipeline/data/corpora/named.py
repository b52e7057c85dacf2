"""What the user names: folders, recordings, manifests and lists, each recording once."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.common.files import absolute
from pipeline.common.places import Place
from pipeline.common.tables import read_text
from pipeline.data.corpora.files import common_folder, recordings_below, without_shell_pattern
from pipeline.data.corpora.manifests import folder_manifest, read_manifest
from pipeline.data.corpora.remote import Mirror
from pipeline.data.corpora.side_files import RECORDING_SUFFIXES, is_side_file
from pipeline.data.corpora.source import Source
from pipeline.data.corpora.speaker_names import plain_name
from pipeline.errors import UserError

NO_COLUMN = ("auto", "folder", "recording")
"""Values of `corpus.group` that are no column of a table."""
TABLES = (".csv", ".tsv")
LEVELS_ABOVE = 2
"""Folders above what is named that may hold the tables which describe it."""

SET_SUFFIXES = (".mat", ".npz")
"""Of files that hold many pieces of music, with their splits."""


@dataclass
class Named:
    """What was named.

    Attributes:
        mirror: gives the paths that stand for addresses.
        sources: the recordings, each once, in the order in which they were named.
        side_files: the files that are no recordings.
        described: number of sources that a table or manifest in their folder describes.
        base: the folder that is named, or that all that is named has in common.
    """

    mirror: Mirror
    sources: list[Source] = field(default_factory=list)
    side_files: list[Path] = field(default_factory=list)
    described: int = 0
    base: Path = Path("/")


def find_sources(inputs: Sequence[Place]) -> list[Source]:
    """List the recordings that ``inputs`` name, each once, made absolute, in a fixed order.

    Raises:
        UserError: an input is missing, empty or contradicts itself.
    """
    with mirrored() as mirror:
        named = read_inputs(mirror.shown(inputs), "recording", mirror)
        return [mirror.source_at(source) for source in named.sources]


@contextmanager
def mirrored() -> Iterator[Mirror]:
    """Yield a mirror of remote inputs; in messages of errors, addresses stand for its paths."""
    with Mirror() as mirror:
        try:
            yield mirror
        except UserError as problem:
            raise UserError(mirror.readable(str(problem)), problem.exit_code) from None


def read_inputs(inputs: Sequence[Path], group: str, mirror: Mirror) -> Named:
    """Read what ``inputs`` name: folders, recordings, manifests, and lists of paths (.txt).

    Paths in a manifest or list need not exist: the decoder rejects those.

    Args:
        inputs: files and folders.
        group: "auto", "folder" or "recording", or the column of the tables that names the group.
        mirror: gives the paths that stand for addresses in manifests.

    Raises:
        UserError: an input is missing, empty or contradicts another.
    """
    named = Named(mirror)
    found: dict[tuple[str, str | None], Source] = {}
    bases = []
    for one in _expanded(inputs):
        sources = _sources_of(one, group, named, alone=len(inputs) == 1)
        bases.append(_base(one, [source.here for source in sources], alone=len(inputs) == 1))
        for source in sources:
            key = (source.label, source.reason)
            found[key] = _merged(found.setdefault(key, source), source, one)
    named.base = Path(os.path.commonpath(bases)) if bases else named.base
    named.sources = list(found.values())
    if group == "auto" and not any(source.group for source in named.sources):
        named.sources = _described_above(named)
    return named


def _merged(first: Source, source: Source, place: Path) -> Source:
    """Return one source of two that name the same recording."""
    for what, before, now in (("of", first.group, source.group), ("in", first.split, source.split)):
        if None not in (before, now) and before != now:
            raise UserError(f"{place}: {source.label} is {what} {now}, but before {what} {before}")
    return replace(first, group=first.group or source.group, split=first.split or source.split)


def _base(named: Path, paths: Sequence[Path], alone: bool) -> Path:
    """Return the folder above the groups: a named folder, that of the only table or list, else the files'."""
    folder = absolute(named) if named.is_dir() else absolute(named).parent
    inside = all(path.is_relative_to(folder) for path in paths)
    return folder if inside and (alone or named.is_dir() or not paths) else common_folder(paths)


def _expanded(inputs: Sequence[Path]) -> list[Path]:
    """Return ``inputs``, with a folder in place of all that is in it where no table of it is meant."""
    for path in inputs:
        if not os.path.exists(path):  # noqa: PTH110  Path.exists raises where a folder may not be entered
            raise UserError(f"{path}: no such file or folder")
    folders = without_shell_pattern(inputs)
    new = [path for path in folders if path not in inputs]
    tables = (path for path in inputs if path.is_file() and path.suffix.lower() not in RECORDING_SUFFIXES)
    if any(map(folder_manifest, new)) or not any(map(_is_manifest, tables)):
        return folders
    return list(inputs)


def _is_manifest(path: Path) -> bool:
    try:
        return read_manifest(path) is not None
    except UserError:
        return False


def _sources_of(path: Path, group: str, named: Named, alone: bool) -> list[Source]:
    column = None if group in NO_COLUMN else group
    if path.is_dir():
        described = folder_manifest(path) if group in ("auto", column) else None
        if described is not None:
            named.described += len(described)
            return [_plain(source, group, named.mirror) for source in described]
        if column:
            raise _no_column(path, column)
        recordings, side_files = recordings_below(path)
        named.side_files += side_files
        return [Source(each, None, None) for each in recordings]
    try:
        sources = [_plain(source, group, named.mirror) for source in _read(path, column)]
    except UserError:
        if alone or not is_side_file(path):
            raise
        sources = []
    if not alone and [source.path for source in sources] == [absolute(path)] and is_side_file(path):
        sources = []
    named.side_files += [] if sources else [path]
    return sources


def _read(path: Path, column: str | None) -> list[Source]:
    """Return what a file names: the recordings of a manifest, the lines of a list, or itself."""
    suffix = path.suffix.lower()
    described = None if suffix in RECORDING_SUFFIXES else read_manifest(path, column)
    if described is not None:
        return described
    if suffix in TABLES:
        raise UserError(f"{path}: no column 'path' or another usual name for files; see the manual on tables")
    if column:
        raise _no_column(path, column)
    if suffix == ".txt" and (lines := _lines(path)) is not None:
        raise UserError(f"{path}: none of its {lines} lines is a file; they are relative to the list")
    return [Source(absolute(path), None, None)]


def _lines(path: Path) -> int | None:
    """Return the number of lines of a text; None for a recording that is named like one."""
    try:
        return sum(bool(line.strip()) for line in read_text(path).splitlines())
    except ValueError:
        return None


def _no_column(path: Path, column: str) -> UserError:
    others = "group by auto, folder, recording, or a column of a table"
    return UserError(f"{path}: no table, so no column {column!r}; {others}")


def _plain(source: Source, group: str, mirror: Mirror) -> Source:
    """Return the source with its group's name in one form, without a group where another kind is wanted."""
    source = replace(source, path=mirror.path_of(source.path))
    if source.group is None or (group in ("folder", "recording") and source.whole):
        return replace(source, group=None)
    return replace(source, group=plain_name(source.group))


def _described_above(named: Named) -> list[Source]:
    """Return the sources as the tables of a folder above them describe them, if they do."""
    sources = {source.here: source for source in named.sources if source.whole and source.reason is None}
    if not sources or len(sources) < len(named.sources):
        return named.sources
    for folder in _folders_above(common_folder(list(sources))):
        described = folder_manifest(folder) or []
        plain = [_plain(source, "auto", named.mirror) for source in described]
        chosen = [source for source in plain if source.path in sources]
        if {source.path for source in chosen} == sources.keys():
            named.described += len(chosen)
            return chosen
    return named.sources


def _folders_above(folder: Path) -> Iterator[Path]:
    yield folder
    yield from list(folder.parents)[:LEVELS_ABOVE]
