"""The download of a set's file: continued after any interruption, checked, from one address after the other.

pooch checks the hash and moves the file to its name only then; it does not continue downloads. It is given a
downloader that does.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.common.progress import byte_bar
from pipeline.data.public.answers import Interrupted, Patience, Unavailable
from pipeline.data.public.part import Advance, Part
from pipeline.data.public.table import PublicSet
from pipeline.errors import UserError


class WrongHash(Unavailable):
    """The downloaded file was not the one that the table states."""


Report = Callable[[str], None]
"""Called with a sentence about a failure that is not the end."""
CONNECTION_TRIES = 2


def part_of(public: PublicSet, folder: Path) -> Part:
    """Return the part of the set's file that lies in ``folder``, which may be empty."""
    path = folder / f"{public.file_name}.part"
    return Part(path, public.bytes, public.largest_bytes, public.sha256 is not None)


def download(public: PublicSet, folder: Path, patience: Patience, report: Report) -> Path:
    """Download the file of a set into ``folder``, unless it is there, and return its path.

    Args:
        public: the set.
        folder: where parts of the file are kept after an interruption.
        patience: time limits.
        report: called for each address that fails.

    Raises:
        UserError: no address delivers the file, or none with the stated hash. What could be of use stays.
    """
    part, failures = part_of(public, folder), list[str]()
    for address in public.addresses:
        for fresh in (False, True):
            continued = part.size > 0 and not fresh
            try:
                return _retrieve(public, address, part, patience)
            except Unavailable as problem:
                failures.append(f"{address}: {problem}")
                report(failures[-1])
                if not (continued and isinstance(problem, WrongHash)):
                    break  # only a continued download is tried again from its start
    raise UserError(f"{public.name}: could not be downloaded; the same command tries again ({failures[-1]})")


def _retrieve(public: PublicSet, address: str, part: Part, patience: Patience) -> Path:
    """Download from one address, and check the hash."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    with byte_bar() as bar:
        task = bar.add_task(public.name, total=public.bytes, completed=part.size)

        def advance(size: int, total: int | None) -> None:
            bar.update(task, completed=size, total=total)

        def downloader(url: str, target: str, _: object) -> None:
            _complete(url, part, patience, advance)
            _place(part.path, Path(target))

        try:
            pooch.retrieve(
                address, public.sha256, fname=public.file_name, path=part.path.parent, downloader=downloader
            )
        except ValueError:
            part.discard()
            raise WrongHash("the file has another SHA-256 than stated, and was deleted") from None
    part.discard()
    return part.path.parent / public.file_name


def _complete(address: str, part: Part, patience: Patience, advance: Advance) -> None:
    """Continue until all bytes are there; wait longer after each failure, and give up after some."""
    failures, most = 0, part.size
    while True:
        try:
            part.continue_from(address, patience, advance)
            return
        except Interrupted as problem:
            failures = 1 if part.size > most else failures + 1
            most = max(most, part.size)
            if failures >= (patience.tries if problem.connected else CONNECTION_TRIES):
                raise Unavailable(str(problem)) from None
            wait = patience.first_wait_seconds * 2 ** (failures - 1)
            time.sleep(max(wait, problem.wait_seconds or 0))


def _place(path: Path, target: Path) -> None:
    """Give a complete file a second name: pooch may be killed before it has checked the first."""
    target.unlink()
    try:
        os.link(path, target)
    except OSError:  # a file system without links
        shutil.move(path, target)
