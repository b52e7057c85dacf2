"""Times and sizes as text for people."""

from collections.abc import Mapping
from typing import Any


def duration(seconds: float) -> str:
    """Return a time in a suitable unit.

    Example:
        >>> [duration(seconds) for seconds in (0.5, 75, 600, 216_000)]
        ['500 ms', '75.0 s', '10.0 min', '60 h']
    """
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    for limit_s, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (200_000, 3600, "h")):
        if seconds < limit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds / 86_400:.1f} days" if seconds > 4_000_000 else f"{seconds / 3600:,.0f} h"


def time_unit(longest_s: float) -> tuple[float, str]:
    """Return the seconds in the unit that suits an axis of times up to ``longest_s``, and the unit's name."""
    if longest_s < 600:
        return 1.0, "s"
    return (60.0, "min") if longest_s < 2 * 3600 else (3600.0, "h")


def clock(seconds: float) -> str:
    """Return a time as `h:mm:ss`, rounded to seconds.

    Example:
        >>> clock(3725.4)
        '1:02:05'
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def evaluated_size(evaluation: Mapping[str, Any]) -> str:
    """Return how much an evaluation scored: recordings, groups and minutes, or pieces and steps of notes.

    A piano roll has no time: it keeps the beats of a piece, and not their tempo.

    Args:
        evaluation: table of `pipeline.evaluation.evaluate.evaluate`.

    Example:
        >>> evaluated_size({"recordings": 9, "groups": 2, "seconds": 90, "steps": 1440})
        '9 recordings, 2 group(s), 1.5 min'
        >>> evaluated_size({"of_notes": True, "recordings": 9, "groups": 9, "seconds": 90, "steps": 1440})
        '9 pieces, 9 group(s), 1,440 steps'
    """
    recordings, groups = evaluation["recordings"], f"{evaluation['groups']} group(s)"
    if evaluation.get("of_notes"):
        return f"{recordings} pieces, {groups}, {evaluation['steps']:,} steps"
    return f"{recordings} recordings, {groups}, {evaluation['seconds'] / 60:.1f} min"
