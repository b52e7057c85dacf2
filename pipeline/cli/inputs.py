"""Recordings that a user names (files, folders, patterns), one after the other, each with its output.

One bad recording never stops the rest. It is reported in one line on standard error, and the exit code is 1.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline.common.files import check_overwrite, check_replacing, expanded
from pipeline.common.patterns import matching
from pipeline.common.places import (
    Place,
    exists,
    is_address,
    is_folder,
    local_copy,
    place_of,
)
from pipeline.data.corpora.named import find_sources
from pipeline.data.corpora.side_files import is_side_file
from pipeline.errors import RecordingRejected, UserError, one_line

if TYPE_CHECKING:
    from pipeline.audio.decode import Samples

Named = TypeVar("Named", bound=Place | str)
Result = TypeVar("Result")
ARGUMENTS = 2


def find_sounds(named: Sequence[str], rejected: list[Place] | None = None) -> list[Place]:
    """Return the files that are named by files, folders and patterns, each once, in a fixed order.

    A name that exists is never a pattern, whatever characters it has. FILE#NAME is a piece of a set of music.
    Folders are searched through. Hidden files are left out, and so are the texts, tables and pictures beside
    recordings.

    Args:
        named: the names.
        rejected: receives the names that are missing or empty, where others are not; each is reported.

    Raises:
        UserError: something named is missing or empty, and it is all that is named, or ``rejected`` is None.
    """
    if not named:
        raise UserError("no recordings named: give files, folders or patterns", 2)
    found: dict[Place, None] = {}
    failures: list[tuple[str, UserError]] = []
    for name in named:
        try:
            found |= dict.fromkeys(_sounds_of(name))
        except UserError as problem:
            if rejected is None or problem.exit_code == ARGUMENTS:
                raise
            failures.append((name, problem))
    if failures and not found:
        raise failures[0][1]
    for name, failure in failures:
        place = place_of(name)
        _report(place, str(failure))
        if rejected is not None:
            rejected.append(place)
    return list(found)


def _sounds_of(name: str) -> Iterator[Place]:
    """Yield the files that one name means."""
    for path in _matching(name):
        if not isinstance(path, Path):
            yield from _remote_sounds(path)
        elif os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises for a name that is too long
            yield from (as_given(path, source.path) for source in find_sources([path]))
        elif os.path.lexists(path) or os.path.lexists(str(path).rpartition("#")[0]):
            yield path
        else:
            raise UserError(f"{path}: no such file or folder")


def as_given(folder: Place, file: Place) -> Place:
    """Return the path of a file in a named folder, relative if the folder was named relative."""
    if not isinstance(folder, Path) or not isinstance(file, Path):
        return file
    absolute = Path(os.path.abspath(folder))  # noqa: PTH100  which leaves links as they are
    return folder / file.relative_to(absolute) if file.is_relative_to(absolute) else file


def is_many(named: Sequence[str], sounds: Sequence[Place]) -> bool:
    """Return whether results go into a folder: True unless a single file was named without a pattern."""
    if len(named) > 1 or len(sounds) != 1:
        return True
    one = place_of(named[0])
    return str(sounds[0]) != str(expanded(one) if isinstance(one, Path) else one)


def _remote_sounds(place: Place) -> list[Place]:
    """Return the recordings of a remote folder, or the one file that is named."""
    if is_folder(place):
        return [source.path for source in find_sources([place])]
    if not exists(place):
        raise UserError(f"{place}: no such file or folder")
    return [place]


def _matching(name: str) -> list[Place]:
    if not name:
        raise UserError("a name is empty: give files, folders or patterns", 2)
    if is_address(name):
        return [place_of(name)]
    paths = matching(name)
    if not paths:
        raise UserError(f"{name}: no file matches")
    if len(paths) == 1:
        return list(paths)
    return [path for path in paths if path.is_dir() or not is_side_file(path)]


def output_paths(
    sounds: Sequence[Place], output: Path, suffix: str | None, many: bool, overwrite: bool
) -> list[Path]:
    """Return the path of each sound's result.

    Args:
        sounds, output, suffix, many: as in `place_results`.
        overwrite: whether existing files may be replaced.

    Raises:
        UserError: before any work, a result exists and may not be replaced, or would replace a sound.
    """
    found = place_results(sounds, output, suffix, many)
    for path in found:
        check_overwrite(path, overwrite)
    check_replacing(found, files_of(sounds))
    return found


def place_results(sounds: Sequence[Place], output: Path, suffix: str | None, many: bool) -> list[Path]:
    """Return a path for the result of each sound.


    In a folder, results keep the sounds' names, and the folders below the one that all have in common. Of
    talk.wav and talk.flac side by side, the results are talk.wav.csv and talk.flac.csv.

    Args:
        sounds: paths of the sounds.
        output: the result of a single sound, or the folder of results.
        suffix: suffix of the results, such as ".csv"; None keeps that of each sound.
        many: whether ``output`` is a folder.

    Raises:
        UserError: two results would have the same name.
    """
    if not many:
        return [output]
    absolute = [_as_path(sound) for sound in sounds]
    common = Path(os.path.commonpath([path.parent for path in absolute]))
    inside = [path.relative_to(common) for path in absolute]
    if suffix is not None:
        short = [place.with_suffix(suffix) for place in inside]
        count = Counter(short)
        inside = [
            brief if count[brief] == 1 else place.with_name(place.name + suffix)
            for place, brief in zip(inside, short, strict=True)
        ]
    places: dict[Path, Place] = {}
    for sound, place in zip(sounds, inside, strict=True):
        if (other := places.setdefault(output / place, sound)) != sound:
            raise UserError(
                f"{output / place}: both {other} and {sound} would be written there; name them apart"
            )
    return list(places)


def _as_path(sound: Place) -> Path:
    """Return an absolute path; of an address one made of its parts, which keeps the folders' names."""
    if isinstance(sound, Path):
        return sound.absolute()
    scheme, _, name = str(sound).partition("://")
    return Path("/", scheme, name)


def files_of(sounds: Sequence[Place]) -> list[Path]:
    """Return the local files of sounds: for FILE#NAME, a piece of a set, FILE."""
    return [
        sound if os.path.lexists(sound) else Path(str(sound).rpartition("#")[0] or sound)
        for sound in sounds
        if isinstance(sound, Path)
    ]


def each_sound(
    sounds: Sequence[Named], work: Callable[[Named], Result], refused: list[Named]
) -> Iterator[tuple[Named, Result]]:
    """Do ``work`` on each sound, or other named thing, and yield its result.

    Failures are reported in one line each, and noted in ``refused``.

    A failure is a rejected recording, and where others are left to do also a result that cannot be written.
    A wrong argument (a `UserError` of exit code 2) is wrong for all sounds and ends it.
    """
    for sound in sounds:
        try:
            result = work(sound)
        except RecordingRejected as reason:
            _report(sound, str(reason))
        except UserError as reason:
            if len(sounds) == 1 or reason.exit_code == ARGUMENTS:
                raise
            _report(sound, str(reason))
        except OSError as reason:
            if len(sounds) == 1 or isinstance(reason, BrokenPipeError):
                raise
            _report(sound, f"{reason.filename or sound}: {reason.strerror or reason}")
        else:
            yield sound, result
            continue
        refused.append(sound)


def _report(sound: Place | str, reason: str) -> None:
    place = "" if reason.startswith(str(sound)) else f"{sound}: "
    print(f"wavecast: {one_line(place + reason)}", file=sys.stderr)


def read_sound(place: Place, sample_rate: int) -> "Samples":
    """Return a recording as mono int16 samples (N,) at ``sample_rate`` Hz."""
    from pipeline.audio.decode import read_mono

    with local_copy(place) as path:
        return read_mono(path, sample_rate)[0]
