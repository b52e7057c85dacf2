"""The rule for layouts that are not known: which folders or parts of names are speakers.

1. A level of folders whose names are all names of splits (train, dev, ...) gives the splits.
2. Levels with one name, and levels whose names are of the house (wav, clips) or of a category (male, angry)
   are passed over.
3. Of the other levels, the first one whose names begin the names of the files in it gives the groups. Without
   one, it is the first that looks like numbered speakers (`spk01`, `p225`), and else the first of all.
4. Without such a level, a part of the names gives them: the first one that repeats, as in `anna_01.wav`.
5. Without such a part, or with one group alone, each recording is a group by itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.types import Split
from pipeline.data.corpora.split_names import split_named

NEARLY_ALL = 0.9
FEWEST_SPEAKERS = 3
_HOUSE = """
audio audios sound sounds wav wavs wave waves wav16 wav22 wav24 wav48 flac flacs mp3 mp3s ogg opus sph
nist clips clip recordings recording data dataset corpus speech voices files raw original processed mono
stereo mic mic1 mic2 channel1 channel2 left right
"""
_CATEGORIES = """
male female males females man men woman women boy boys girl girls child children adult adults m f clean
noisy noise other normal abnormal anomaly angry anger happy happiness joy sad sadness neutral fear
fearful disgust disgusted surprise surprised calm bored boredom loud soft whisper whispered read
spontaneous yes no up down
"""
HOUSE = frozenset(_HOUSE.split())
CATEGORIES = frozenset(_CATEGORIES.split())
_SPEAKER = re.compile(
    r"(?:(?:spk|spkr|speaker|talker|reader|actor|subject|subj|sub|sprecher|voice|singer|user|person|participant|id)"
    r"[-_ ]?\d+|[a-z]{1,4}[-_]?\d{2,})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Structure:
    """What the rule finds.

    Attributes:
        groups: the group of each recording that has one.
        splits: the split of each recording that has one.
        source: what gives the groups, for a person.
    """

    groups: Mapping[Path, str]
    splits: Mapping[Path, Split]
    source: str


def structure_of(paths: Sequence[Path], root: Path) -> Structure:
    """Apply the rule to recordings below ``root``."""
    folders = {path: path.relative_to(root).parts[:-1] for path in paths}
    depth = max((len(parts) for parts in folders.values()), default=0)
    levels = [{path: parts[k] for path, parts in folders.items() if len(parts) > k} for k in range(depth)]
    of_splits = next((level for level in levels if _is_of_splits(level)), {})
    splits = {path: split for path, name in of_splits.items() if (split := split_named(name))}
    candidates = [
        (number, level)
        for number, level in enumerate(levels, 1)
        if level is not of_splits and not _is_passed_over(set(level.values()))
    ]
    for check in (_begin_the_names, _look_like_speakers, bool):
        for number, level in candidates:
            if check(level):
                return Structure(level, splits, f"folders of level {number}")
    groups = _parts_of_names(paths)
    return Structure(groups, splits, "part of the names" if groups else "")


def _is_of_splits(level: Mapping[Path, str]) -> bool:
    found = {split_named(name) for name in set(level.values())}
    return None not in found and "train" in found and len(found) > 1


def _is_passed_over(names: set[str]) -> bool:
    plain = {name.lower() for name in names}
    return len(names) < 2 or plain <= HOUSE or plain <= CATEGORIES


def _begin_the_names(level: Mapping[Path, str]) -> bool:
    """Return whether nearly all file names begin with the name of the folder, as in `p225/p225_001.wav`."""
    begin = sum(path.name.lower().startswith(name.lower()) for path, name in level.items())
    return begin >= NEARLY_ALL * len(level)


def _look_like_speakers(level: Mapping[Path, str]) -> bool:
    names = set(level.values())
    return sum(bool(_SPEAKER.fullmatch(name)) for name in names) >= NEARLY_ALL * len(names)


def _parts_of_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return the groups that a part of the names gives; none where no part repeats like a speaker's."""
    stems = {path: re.split(r"[-_. ]+", path.stem) for path in paths}
    parts = {path: stem for path, stem in stems.items() if len(stem) > 1}
    if len(parts) < NEARLY_ALL * len(paths) or not parts:
        joined = {
            path: found[1]
            for path in paths
            if (found := re.match(r"([A-Za-z]{1,4}\d{1,4})[A-Za-z]", path.stem))
        }
        return joined if len(joined) == len(paths) and _repeats(list(joined.values())) else {}
    for place in range(min(len(stem) for stem in parts.values()) - 1):
        values = [stem[place] for stem in parts.values()]
        if _repeats(values) and not _is_passed_over(set(values)):
            return {path: stem[place] for path, stem in parts.items()}
    return {}


def _repeats(values: Sequence[str]) -> bool:
    """Return whether values are those of several speakers, each with several recordings."""
    names = set(values)
    like_names = sum(len(name) > 1 + name.isdigit() for name in names)
    enough = FEWEST_SPEAKERS <= len(names) <= len(values) / 2
    return enough and like_names >= NEARLY_ALL * len(names)
