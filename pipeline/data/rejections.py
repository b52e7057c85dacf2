"""Rejected recordings, summarised by reason."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rejections:
    """The recordings that were rejected for one reason.

    Attributes:
        reason: the reason of the first one; without the path of another file where several have it.
        paths: all of them.
    """

    reason: str
    paths: tuple[str, ...]


def by_reason(rejected: Iterable[tuple[str, str]]) -> list[Rejections]:
    """Return rejections by reason, the most frequent one first; each is a path and its reason."""
    alike: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, reason in rejected:
        alike[reason_kind(reason)].append((path, reason))
    ordered = sorted(alike.values(), key=len, reverse=True)
    return [
        Rejections(
            found[0][1] if len(found) == 1 else _without_path(found[0][1]), tuple(path for path, _ in found)
        )
        for found in ordered
    ]


def reason_kind(reason: str) -> str:
    """Return a reason without its details: numbers, paths and what stands in brackets.

    >>> reason_kind("cut short: 300 bytes (44 are there)") == reason_kind("cut short: 2 bytes")
    True
    """
    return re.sub(r"[\d.]+(e[+-]?\d+)?", "#", _without_path(reason)).split(" (")[0]


def _without_path(reason: str) -> str:
    return re.sub(r"(?<= as )/.*", "another", reason)
