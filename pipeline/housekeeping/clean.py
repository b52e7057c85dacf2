"""What can be removed from the data folder and from the system's temporary folder, by policy."""

from pathlib import Path

from pipeline.housekeeping.checkpoints import checkpoints
from pipeline.housekeeping.leftovers import Leftover
from pipeline.housekeeping.prepared import data_sets, unnamed_rows
from pipeline.housekeeping.temporaries import system_temporaries, temporaries, unfinished

DEFAULT_DAYS = 7.0
"""Age from which checkpoints, data sets and interrupted work are removed."""


def find_leftovers(home: Path, older_than_days: float = DEFAULT_DAYS) -> list[Leftover]:
    """Return what nothing needs, each path once; nothing is changed.

    Args:
        home: the data folder, which may be missing.
        older_than_days: age from which checkpoints, data sets and interrupted work are included.
    """
    found: dict[Path, Leftover] = {}
    for leftover in (
        *data_sets(home, older_than_days),
        *unnamed_rows(home, older_than_days),
        *checkpoints(home, older_than_days),
        *unfinished(home, older_than_days),
        *temporaries(home),
        *system_temporaries(),
    ):
        if not any(parent in found for parent in (leftover.path, *leftover.path.parents)):
            found[leftover.path] = leftover
    return list(found.values())
