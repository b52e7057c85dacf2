"""Expansion of file name patterns."""

import glob
import os
from pathlib import Path

from pipeline.common.files import expanded

MAGIC = frozenset("*?[")


def matching(name: str) -> list[Path]:
    """Return the paths that a name or pattern means, in a fixed order; none if a pattern has no match.

    A name that exists is not expanded, even if it has wildcard characters. `**` means folders at any depth.
    """
    if os.path.lexists(name) or not MAGIC & set(name):
        return [expanded(name)]
    return [Path(path) for path in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207  may be absolute
