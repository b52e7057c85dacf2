"""Names of speakers, compared as people read them."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path


def plain_name(name: str) -> str:
    """Return a name in one form: Unicode composed, compatible characters replaced, blanks as one space.

    >>> plain_name("sp4 ") == plain_name("sp4"), plain_name("Zoe\\u0308") == plain_name("Zo\\u00eb")
    (True, True)
    """
    return " ".join(unicodedata.normalize("NFKC", name).split()) or name


def one_case(names: Iterable[str]) -> dict[str, str]:
    """Return for each name the first one, in alphabetical order, that differs from it by case alone."""
    first: dict[str, str] = {}
    return {name: first.setdefault(name.casefold(), name) for name in sorted(set(names))}


def folds_case(folder: Path) -> bool:
    """Return whether the file system treats names in this folder that differ by case as one.

    It is asked for the folder itself by its name in the other case.
    """
    other = folder.with_name(folder.name.swapcase()) if folder.name.swapcase() != folder.name else None
    try:
        return other is not None and os.path.samefile(folder, other)  # noqa: PTH121  Path.samefile needs both
    except OSError:
        return False
