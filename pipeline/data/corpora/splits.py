"""Assignment of groups to splits by a hash, so that added files never move existing ones.

A group is a speaker, or a recording by itself, never a part of one. Its place on [0, 1) is a hash of seed and
name; the bottom of that range tests, what follows validates, the rest trains, as in TensorFlow's speech
commands data set (`which_set`).

Recordings of one person, or of nobody in particular, whose names have an order are split in contiguous
stretches instead: neighbours are alike, and would otherwise stand on both sides.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.common.places import Place, rooted
from pipeline.config.run import CorpusConfig
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


def assign_stretches(
    ordered: Sequence[str], valid_fraction: float, test_fraction: float, known: Mapping[str, str]
) -> dict[str, Split]:
    """Return the split of recordings in their order: the first ones train, then some validate, the last test.

    Recordings in ``known`` keep their split, and new ones take that of the known one before them. If a split
    would be empty then, the new ones are divided among all.
    """
    names = list(dict.fromkeys(ordered))
    kept = {name: split for name in names for split in SPLITS if known.get(name) == split}
    splits = _cut(names, valid_fraction, test_fraction)
    if kept:
        new = [name for name in names if name not in kept]
        beside = _of_neighbours(names, kept)
        wanted = set(splits.values())
        splits = beside if wanted <= set(beside.values()) else _cut(new, valid_fraction, test_fraction) | kept
    return splits


def _cut(names: Sequence[str], valid_fraction: float, test_fraction: float) -> dict[str, Split]:
    """Cut a sequence in three; a split with a positive fraction has one name if there are enough."""
    count = len(names)
    wants_valid, wants_test = bool(valid_fraction) and count > 1, bool(test_fraction) and count > 2
    valid = min(max(1, round(valid_fraction * count)), count - 1 - wants_test) if wants_valid else 0
    test = min(max(1, round(test_fraction * count)), count - 1 - valid) if wants_test else 0
    train = count - valid - test
    splits: list[Split] = [*["train"] * train, *["valid"] * valid, *["test"] * test]  # type: ignore[list-item]
    return dict(zip(names, splits, strict=True))


def _of_neighbours(names: Sequence[str], kept: Mapping[str, Split]) -> dict[str, Split]:
    last = next(kept[name] for name in names if name in kept)
    splits: dict[str, Split] = {}
    for name in names:
        last = splits[name] = kept.get(name, last)
    return splits


def in_order_of_names(recordings: Iterable[tuple[Place, str]]) -> list[tuple[Place, str]]:
    """Return recordings in the order in which they are cut in stretches.

    It is that of their names, in which numbers count by their value. Several folders are ordered side by
    side, by the share of a folder that lies before a recording, so that every stretch has some of each.
    """

    def key(recording: tuple[Place, str]) -> list[tuple[int, str]]:
        pieces = re.split(r"(\d+)", str(recording[0]))
        return [(int(piece), "") if place % 2 else (-1, piece) for place, piece in enumerate(pieces)]

    by_name = sorted(recordings, key=key)
    folders = [str(path).rpartition("/")[0] for path, _ in by_name]
    sizes, before = Counter(folders), Counter[str]()
    shares = []
    for folder in folders:
        shares.append((before[folder] + 0.5) / sizes[folder])
        before[folder] += 1
    return [by_name[place] for place in sorted(range(len(by_name)), key=shares.__getitem__)]


def remembered_splits(
    remembered: Mapping[str, Mapping[str, str]], config: CorpusConfig, root: Place
) -> tuple[str, dict[str, str]]:
    """Return what the splits of a corpus are remembered under, and those that are remembered.

    Args:
        remembered: splits of groups by corpus, fractions and seed.
        config: the fractions and the seed.
        root: the folder of the corpus, whatever its recordings were named by.
    """
    draw = f"{config.split_seed}/{config.valid_fraction}/{config.test_fraction}"
    # Earlier releases named the corpus by the folders of the inputs, which for one folder is often the same.
    places = {
        str(path.absolute() if path.is_dir() else path.absolute().parent)
        for path in config.inputs
        if isinstance(path, Path)
    }
    earlier = " ".join([draw, *sorted(places)])
    rule = f"{draw} {rooted(root)}"
    return rule, dict(remembered.get(rule, remembered.get(earlier, {})))


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
