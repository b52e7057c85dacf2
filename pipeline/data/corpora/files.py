"""The files below a folder, and the folder that recordings have in common."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.common.files import absolute
from pipeline.data.corpora.side_files import is_side_file
from pipeline.errors import UserError


def recordings_below(root: Path) -> tuple[list[Path], list[Path]]:
    """Return the files below ``root`` that may be recordings, and its side files, in a fixed order.

    Raises:
        UserError: a folder cannot be listed, or no file may be a recording.
    """
    recordings: list[Path] = []
    side: list[Path] = []
    for path in _files_below(root):
        (side if is_side_file(path) else recordings).append(path)
    if not recordings:
        raise UserError(
            f"{root}: no recordings in this folder, only {len(side)} other file(s), such as {side[0].name}"
            if side
            else f"{root}: no files in this folder"
        )
    return recordings, side


def _files_below(root: Path) -> Iterator[Path]:
    """Yield every regular file below ``root`` in sorted order; each folder is entered once."""

    def fail(problem: OSError) -> None:
        raise UserError(f"{problem.filename}: cannot be listed ({problem.strerror})")

    entered: set[str] = set()
    for folder, subfolders, names in os.walk(absolute(root), onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:
            subfolders.clear()
            continue
        entered.add(real)
        subfolders[:] = sorted(name for name in subfolders if not _is_hidden(name))
        for name in sorted(names):
            path = Path(folder, name)
            if _is_hidden(name):
                continue
            # A link to nowhere and what may not be looked at count: the decoder rejects them with a reason.
            if os.path.isfile(path) or not os.path.exists(path):  # noqa: PTH110, PTH113
                yield path


def _is_hidden(name: str) -> bool:
    """Return whether a name is hidden, or one that macOS adds to archives."""
    return name.startswith(".") or name == "__MACOSX"


def without_shell_pattern(inputs: Sequence[Path]) -> list[Path]:
    """Return ``inputs`` with a folder in place of all that is in it, as `corpus/*` names it."""
    named = [absolute(path) for path in inputs]
    for folder in {path.parent for path in named}:
        try:
            inside = {folder / name for name in os.listdir(folder) if not _is_hidden(name)}  # noqa: PTH208
        except OSError:
            continue
        if len(inside) > 1 and inside <= set(named):
            first = next(place for place, path in enumerate(named) if path in inside)
            rest = [path for path in inputs if absolute(path) not in inside]
            return without_shell_pattern([*rest[:first], folder, *rest[first:]])
    return list(inputs)


def common_folder(paths: Sequence[Path]) -> Path:
    """Return the deepest folder that all of ``paths`` lie in."""
    return Path(os.path.commonpath([path.parent for path in paths]))
