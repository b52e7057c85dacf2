"""Assignment of groups to splits by a hash, so that added files never move existing ones.

A group is a speaker, or a recording by itself, never a part of one. Its place on [0, 1) is a hash of seed and
name; the bottom of that range tests, what follows validates, the rest trains, as in TensorFlow's speech
commands data set (`which_set`).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

from pipeline.config.types import SPLITS, Split
from pipeline.errors import UserError


def assign_splits(
    groups: Iterable[str],
    valid_fraction: float,
    test_fraction: float,
    seed: int,
    known: Mapping[str, str],
) -> dict[str, Split]:
    """Return the split of every group; groups in ``known`` keep theirs, whatever the fractions.

    A split whose fraction is positive is not left empty while there are groups for it: it takes the group
    with the smallest hash from the largest split. Few groups serve training first, then validation (early
    stopping needs it), then testing: one group trains only, two train and validate. Pass the result back as
    ``known`` next time, and no group ever moves.
    """
    if min(valid_fraction, test_fraction) < 0 or valid_fraction + test_fraction >= 1:
        raise UserError(
            f"valid and test fractions {valid_fraction} and {test_fraction}: their sum must be below 1", 2
        )
    places = {group: _place(group, seed) for group in sorted(set(groups))}
    kept = {group: split for group in places for split in SPLITS if known.get(group) == split}
    splits = {
        group: kept.get(group) or _by_place(place, valid_fraction, test_fraction)
        for group, place in places.items()
    }
    movable = {group: place for group, place in places.items() if group not in kept}
    fractions = {"train": 1.0, "valid": valid_fraction, "test": test_fraction}
    wanted = [split for split in SPLITS if fractions[split] > 0][: len(splits)]
    for split in wanted:
        if split not in splits.values():
            _fill(split, splits, wanted, movable)
    return splits


def _place(group: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed}:{group}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _by_place(place: float, valid_fraction: float, test_fraction: float) -> Split:
    if place < test_fraction:
        return "test"
    return "valid" if place < test_fraction + valid_fraction else "train"


def _fill(empty: Split, splits: dict[str, Split], wanted: list[Split], movable: dict[str, float]) -> None:
    """Move one movable group into ``empty``, from the largest split that keeps one or needs none."""
    sizes = Counter(splits.values())
    donors = [split for split in SPLITS if sizes[split] > (split in wanted)]
    for donor in sorted(donors, key=lambda split: -sizes[split]):
        candidates = [group for group in movable if splits[group] == donor]
        if candidates:
            splits[min(candidates, key=movable.__getitem__)] = empty
            return
