"""`wavecast clean`: removal of files that nothing needs."""

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json
from pipeline.errors import one_line

if TYPE_CHECKING:
    from pipeline.housekeeping.leftovers import Leftover


UNITS = ("B", "kB", "MB", "GB", "TB")
EXAMPLES = ["clean --dry-run", "clean", "clean --older-than 30"]


def clean(
    *,
    dry_run: Annotated[
        bool, Parameter(help="List what would be removed, and remove nothing.", negative=())
    ] = False,
    older_than: Annotated[
        float,
        Parameter(
            help="Age in days from which checkpoints of finished trainings, unused data sets, and "
            "interrupted downloads and preparations are removed."
        ),
    ] = 7.0,
    json: Json = False,
) -> None:
    """Remove files that nothing needs: remnants of killed commands, old checkpoints, unused data sets.

    What a run, a registered model or a running command needs is kept. Everything is listed before it is
    removed.
    """
    from pipeline.cli.output import write_json_text
    from pipeline.common.files import data_location
    from pipeline.errors import UserError, print_notice
    from pipeline.housekeeping.clean import find_leftovers
    from pipeline.housekeeping.leftovers import remove

    if not (math.isfinite(older_than) and older_than >= 0):
        raise UserError(f"--older-than {older_than:g}: give a number of days, 0 or more", 2)
    found = find_leftovers(data_location(), older_than)
    if not json:
        for leftover in found:
            print(leftover_line(leftover))
        sys.stdout.flush()
    kept = {} if dry_run else {each.path: why for each in found if (why := remove(each))}
    for path, why in kept.items():
        print_notice(f"{path}: not removed ({why})")
    gone = [each for each in found if each.path not in kept]
    if json:
        facts = [
            {
                "kind": each.kind,
                "path": str(each.path),
                "bytes": each.bytes,
                "reason": each.reason,
                "removed": not dry_run and each.path not in kept,
            }
            for each in found
        ]
        write_json_text({"dry_run": dry_run, "bytes": sum(each.bytes for each in gone), "found": facts})
    else:
        print(total_line(gone, dry_run))
    if kept:
        sys.exit(1)


def leftover_line(leftover: "Leftover") -> str:
    """Return kind, size, path and reason in one line."""
    return one_line(
        f"{leftover.kind:11} {size_text(leftover.bytes):>9}  {leftover.path}  ({leftover.reason})"
    )


def total_line(leftovers: Sequence["Leftover"], dry_run: bool) -> str:
    """Return a sentence on everything that was, or would be, removed."""
    if not leftovers:
        return "Nothing can be removed." if dry_run else "Nothing was removed."
    count = len(leftovers)
    what = f"{count} {'entry' if count == 1 else 'entries'}, {size_text(sum(x.bytes for x in leftovers))}"
    return f"{what}, would be removed." if dry_run else f"{what}, removed."


def size_text(count: int) -> str:
    """Return a number of bytes with a unit of powers of 1,000.

    Example:
        >>> size_text(512), size_text(16_500_000)
        ('512 B', '16.5 MB')
    """
    size, unit = float(count), 0
    while size >= 1_000 and unit < len(UNITS) - 1:
        size, unit = size / 1_000, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 else f"{size:.1f} {UNITS[unit]}"
