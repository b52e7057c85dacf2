"""Free disk space, checked before work that takes long."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import UserError

RESERVE_BYTES = 64 << 20
"""Space for journals, plots and everything else that is small."""


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that holds ``folder``, or would hold it."""
    return shutil.disk_usage(_there(folder)).free


def _there(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def require_space(folder: Path, needed: int, what: str, others: Iterable[Path] = ()) -> None:
    """Check that the disk of a folder has room for what is written there.

    Args:
        folder: where it is written.
        needed: bytes, without a reserve.
        what: the work, for the message.
        others: further folders that it is distributed over; those on one disk count once.

    Raises:
        UserError: there is less space than needed.
    """
    disks = {_there(place).stat().st_dev: place for place in (*others, folder)}
    free = sum(free_bytes(place) for place in disks.values())
    if free < needed + RESERVE_BYTES:
        sizes = (
            f"{what} needs about {(needed + RESERVE_BYTES) / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free"
        )
        advice = "`wavecast clean --dry-run` lists what can be removed"
        names = ", ".join(map(str, (folder, *others)))
        raise UserError(f"{names}: too little disk space: {sizes}; {advice}")
