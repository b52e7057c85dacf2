"""The description of a layout, and its recognition in the paths of recordings."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config.types import Split

SUFFIX = r"\.(?:wav|flac|mp3|ogg|opus|m4a|sph)"
"""End of a file name: corpora are often converted to another format, with all names kept."""

USUAL_SPLITS: Mapping[str, Split] = {"train": "train", "dev": "valid", "test": "test"}
SAMPLES = 1_000
MOST_STRAYS = 0.05
"""Share of the recordings below a root that may have other names: noises, examples, an introduction."""


@dataclass(frozen=True)
class Listed:
    """The group and the split that a list of the corpus gives a recording; None where it gives none."""

    group: str | None
    split: Split | None


Lists = Callable[[Path], Mapping[str, Listed]]


@dataclass(frozen=True, eq=False)
class Layout:
    """One published layout.

    Attributes:
        name: the name of the corpus.
        patterns: regular expressions for the end of a path, from the root of the corpus on. Of their named
            groups, `speaker` is the recording's group (without it, the recording is a group by itself) and
            `split` names the split.
        splits: splits by what `split` matched, in lower case.
        lists: reads the lists in the root: what they give, by path below the root.
        unit: what a group is, in the plural.
        one_reader: whether all recordings are of one person, and so are split one by one.
        on_request: why the published splits are used on request only; empty where they always are.
        ignore_case: whether names come in any case.
        marker: pattern of a file that the root must have.
        rest: the split of what no list names.
    """

    name: str
    patterns: tuple[str, ...]
    splits: Mapping[str, Split] = field(default_factory=dict)
    lists: Lists | None = None
    unit: str = "speakers"
    one_reader: bool = False
    on_request: str = ""
    ignore_case: bool = False
    marker: str | None = None
    rest: Split | None = None

    def match(self, path: Path) -> "re.Match[str] | None":
        """Return the match of a pattern with the end of ``path``."""
        return next((found for one in self._compiled() if (found := one.search(path.as_posix()))), None)

    def _compiled(self) -> Iterable["re.Pattern[str]"]:
        flags = re.IGNORECASE if self.ignore_case else 0
        # `re` keeps compiled patterns.
        return (re.compile(rf"(?<=/)(?:{pattern})$", flags) for pattern in self.patterns)


@dataclass(frozen=True)
class Assigned:
    """What is known of a recording from its path: its layout, its group and its split."""

    layout: Layout
    group: str | None
    split: Split | None


@dataclass(frozen=True)
class Recognised:
    """One corpus of a known layout.

    Attributes:
        layout: the layout.
        root: its folder.
        assigned: group and split of each of its recordings.
    """

    layout: Layout
    root: Path
    assigned: Mapping[Path, Assigned]


def recognise(layout: Layout, paths: Sequence[Path]) -> list[Recognised]:
    """Return the corpora of this layout among ``paths``, one for each root.

    A root counts if nearly all recordings below it match, and if it has the layout's marker. The others below
    it belong to it as groups by themselves.
    """
    if not any(layout.match(path) for path in _samples(paths)):
        return []
    matches: dict[Path, dict[Path, re.Match[str]]] = defaultdict(dict)
    for path in paths:
        if found := layout.match(path):
            matches[Path(path.as_posix()[: found.start()])][path] = found
    below: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        for folder in path.parents:
            if folder in matches:
                below[folder].append(path)
    return [
        Recognised(layout, root, _assign(layout, root, below[root], matched))
        for root, matched in matches.items()
        if len(matched) >= (1 - MOST_STRAYS) * len(below[root])
        and (layout.marker is None or any(root.glob(layout.marker)))
    ]


def _samples(paths: Sequence[Path]) -> list[Path]:
    """Return some recordings of many folders: enough to see whether a layout may apply."""
    one_each = list({path.parent: path for path in paths}.values())
    return [*one_each[:: 1 + len(one_each) // SAMPLES], *paths[:: 1 + len(paths) // SAMPLES]]


def _assign(
    layout: Layout, root: Path, below: Sequence[Path], matched: Mapping[Path, "re.Match[str]"]
) -> dict[Path, Assigned]:
    listed = layout.lists(root) if layout.lists else {}
    assigned = {}
    for path in below:
        named = matched[path].groupdict() if path in matched else {}
        split = layout.splits.get((named.get("split") or "").lower())
        group = layout.name if layout.one_reader else named.get("speaker")
        if listed:
            entry = listed.get(path.relative_to(root).as_posix(), Listed(None, layout.rest))
            group, split = entry.group or group, entry.split or split
        assigned[path] = Assigned(layout, group.upper() if group and layout.ignore_case else group, split)
    return assigned
