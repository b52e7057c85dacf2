"""From what a user names (files, folders, patterns) to recordings, one after the other, each with its output.

One bad recording never stops the rest: it is told in one line on standard error, and the exit code says so.
"""

import glob
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.corpus import find_sources
from pipeline.errors import RecordingRefused, UserError
from pipeline.files import refuse_overwrite

Result = TypeVar("Result")
MAGIC = frozenset("*?[")


def find_sounds(named: Sequence[str]) -> list[Path]:
    """The files that ``named`` files, folders and patterns mean, each once, in a fixed order.

    A name that exists is taken as it is, whatever characters it has; FILE#NAME is a piece of a set of music.
    Folders are searched through, hidden files and README left out. Raises `UserError` for what is missing or
    empty.
    """
    if not named:
        raise UserError("no recordings named: give files, folders or patterns", 2)
    found: dict[Path, None] = {}
    for name in named:
        for path in _matching(name):
            if path.is_dir():
                found |= dict.fromkeys(source.path for source in find_sources([path], "recording", 1))
            elif os.path.lexists(path) or os.path.lexists(str(path).rpartition("#")[0]):
                found[path] = None
            else:
                raise UserError(f"{path}: no such file or folder")
    return list(found)


def is_many(named: Sequence[str], sounds: Sequence[Path]) -> bool:
    """Whether results go into a folder: unless a single file was named by its own name."""
    return len(named) > 1 or list(sounds) != [Path(named[0]).expanduser()]


def _matching(name: str) -> list[Path]:
    if os.path.lexists(name) or not MAGIC & set(name):
        return [Path(name).expanduser()]
    paths = sorted(glob.glob(name, recursive=True))  # noqa: PTH207  patterns may be absolute
    if not paths:
        raise UserError(f"{name}: no file matches")
    return [Path(path) for path in paths]


def output_paths(
    sounds: Sequence[Path], output: Path, suffix: str | None, many: bool, overwrite: bool
) -> list[Path]:
    """Where the result of each sound goes: ``output`` itself, or in that folder where ``many``.

    In a folder, results keep the sounds' names, and the folders below the one that all have in common, with
    ``suffix`` (".csv") in place of the sound's, or their own where it is None. Raises `UserError` before any
    work where a result is there already and is not to be replaced, or where two would have one name.
    """
    if not many:
        found = [output]
    else:
        common = Path(os.path.commonpath([sound.absolute().parent for sound in sounds]))
        inside = [sound.absolute().relative_to(common) for sound in sounds]
        found = [output / (place if suffix is None else place.with_suffix(suffix)) for place in inside]
        for place in {path for path in found if found.count(path) > 1}:
            first, second = [s for s, p in zip(sounds, found, strict=True) if p == place][:2]
            raise UserError(f"{place}: both {first} and {second} would be written there; name them apart")
    for path in found:
        refuse_overwrite(path, overwrite)
    return found


def each_sound(
    sounds: Sequence[Path], work: Callable[[Path], Result], refused: list[Path]
) -> Iterator[tuple[Path, Result]]:
    """Do ``work`` on each sound and yield its result; what is refused is told in a line and noted."""
    for sound in sounds:
        try:
            result = work(sound)
        except RecordingRefused as reason:
            told = str(reason)
            place = "" if told.startswith(str(sound)) else f"{sound}: "
            print(f"wavecast: {place}{told}", file=sys.stderr)
            refused.append(sound)
        else:
            yield sound, result
