"""What the user names: folders, recordings, tables and lists, each recording once."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.common.files import absolute
from pipeline.config.types import Split
from pipeline.data.corpora.described import folder_sources, manifest_sources
from pipeline.data.corpora.files import common_folder, recordings_below, without_shell_pattern
from pipeline.data.corpora.side_files import is_side_file
from pipeline.data.corpora.source import Source
from pipeline.data.corpora.speaker_names import plain_name
from pipeline.data.corpora.tables import listed_paths, read_sources
from pipeline.errors import UserError

NO_COLUMN = ("auto", "folder", "recording")
"""Values of `corpus.group` that are no column of a table."""
OTHER_GROUPS = "group by auto, folder, recording, or a column of a .csv"


@dataclass
class Named:
    """What was named.

    Attributes:
        sources: the recordings, each once, in the order in which they were named.
        side_files: the files that are no recordings.
        described: labels of the sources that a table or manifest names.
        base: the folder that is named, or that all that is named has in common.
    """

    sources: list[Source] = field(default_factory=list)
    side_files: list[Path] = field(default_factory=list)
    described: set[str] = field(default_factory=set)
    base: Path = Path("/")


def find_sources(inputs: Sequence[Path]) -> list[Source]:
    """List the recordings that ``inputs`` name, each once, made absolute, in a fixed order.

    Raises:
        UserError: an input is missing, empty or contradicts itself.
    """
    return read_inputs(inputs, "recording").sources


def read_inputs(inputs: Sequence[Path], group: str) -> Named:
    """Read what ``inputs`` name: folders, recordings, tables and manifests, and lists of paths (.txt).

    Paths in a table or list are relative to it and need not exist: the decoder rejects those. A group that
    has a split in one row has it in all.

    Args:
        inputs: files and folders.
        group: "auto", "folder" or "recording", or the column of the tables that names the group.

    Raises:
        UserError: an input is missing, empty or contradicts itself.
    """
    named = Named()
    found: dict[str, Source] = {}
    decided = _Decisions()
    bases = []
    for one in _expanded(inputs):
        sources = list(_sources_of(one, group, named, alone=len(inputs) == 1))
        bases.append(_base(one, [source.path for source, _ in sources], alone=len(inputs) == 1))
        for source, place in sources:
            first = found.get(source.label)
            if first is None or first.group is None:
                found[source.label] = first = source
            elif source.group not in (None, first.group):
                raise UserError(f"{place}: {source.path} is of {source.group}, but before of {first.group}")
            decided.note(replace(first, split=source.split), place)
    named.base = Path(os.path.commonpath(bases))
    named.sources = [decided.apply(source) for source in found.values()]
    return named


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
    tables = [path for path in inputs if path.is_file() and path.suffix.lower() in (".csv", ".txt", ".tsv")]
    return list(inputs) if any(_is_usable(table) for table in tables) else without_shell_pattern(inputs)


def _is_usable(table: Path) -> bool:
    try:
        return manifest_sources(table) is not None or any(_read(table, "auto"))
    except UserError:
        return False


def _sources_of(path: Path, group: str, named: Named, alone: bool) -> Iterator[tuple[Source, str]]:
    """Yield sources and where each was named, for messages."""
    by_column = group not in NO_COLUMN
    if path.is_dir():
        described = folder_sources(path)
        if by_column and described is None:
            raise UserError(f"{path}: no .csv, so no column {group!r}; {OTHER_GROUPS}")
        if described is not None:
            named.described |= {source.label for source in described}
            yield from ((_plain(source), str(path)) for source in described)
            return
        recordings, side_files = recordings_below(path)
        named.side_files += side_files
        yield from ((Source(each, None, None), str(path)) for each in recordings)
        return
    try:
        read = list(_read(path, group))
    except UserError:
        if alone or not is_side_file(path):
            raise
        read = None
    if read is None:
        named.side_files.append(path)
        return
    for source, place in read:
        if place != str(path) or path.suffix.lower() != ".txt":
            named.described.add(source.label)
        yield _plain(source), place


def _read(path: Path, group: str) -> Iterator[tuple[Source, str]]:
    """Yield what a file names: the rows of a table, the lines of a list, or itself."""
    suffix = path.suffix.lower()
    by_column = group not in NO_COLUMN
    described = None if by_column else manifest_sources(path)
    if described is not None:
        yield from ((source, str(path)) for source in described)
    elif suffix == ".csv":
        yield from read_sources(path, group if by_column else None)
    elif by_column:
        raise UserError(f"{path}: no .csv, so no column {group!r}; {OTHER_GROUPS}")
    else:
        listed = listed_paths(path) if suffix == ".txt" else None
        yield from ((Source(each, None, None), str(path)) for each in listed or [absolute(path)])


def _plain(source: Source) -> Source:
    return replace(source, group=plain_name(source.group)) if source.group else source


class _Decisions:
    """Splits that tables decide, so that neither a group nor a recording lands in two."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[Split, str]] = {}

    def note(self, source: Source, place: str) -> None:
        if source.split is None:
            return
        for key in (source.group, source.label):
            if key is None:
                continue
            split, earlier = self._of.setdefault(key, (source.split, place))
            if split != source.split:
                raise UserError(f"{place}: {key} is in {source.split}, but {earlier} puts it in {split}")

    def apply(self, source: Source) -> Source:
        decision = self._of.get(source.group or source.label) or self._of.get(source.label)
        return replace(source, split=decision[0]) if decision else source
