"""Groups and published splits of recordings, from their paths or by the user's settings."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.run import CorpusConfig
from pipeline.config.types import SPLITS, Split
from pipeline.data.corpora.files import common_folder
from pipeline.data.corpora.layouts.layout import Layout, Recognised, recognise
from pipeline.data.corpora.layouts.registry import LAYOUTS
from pipeline.data.corpora.layouts.unknown import structure_of
from pipeline.data.corpora.speaker_names import folds_case, one_case, plain_name
from pipeline.data.corpora.split_names import split_named


@dataclass(frozen=True)
class Assignment:
    """What the paths of recordings give.

    Attributes:
        groups: the group of each recording that has one.
        splits: the published split of each recording that has one.
        layouts: name of each layout that was found, and the number of recordings in it.
        unit: what a group is, in the plural.
        root: the folder of the corpus.
        remarks: lines for a person.
    """

    groups: Mapping[Path, str]
    splits: Mapping[Path, Split]
    layouts: Mapping[str, int]
    unit: str
    root: Path
    remarks: tuple[str, ...] = ()


def assign(paths: Sequence[Path], config: CorpusConfig, base: Path) -> Assignment:
    """Return the groups and published splits of ``paths``, at least one.

    Args:
        paths: recordings.
        config: how groups and splits are found.
        base: the folder that levels are counted from, and that paths are relative to where they must match a
            pattern.
    """
    if config.speaker_pattern is not None:
        found = _by_pattern(paths, config.speaker_pattern, base)
    elif config.group == "auto" and config.folder_level is None:
        found = _by_layout(paths, published=config.splits == "published")
    else:
        found = _by_setting(paths, config, base)
    groups = {path: plain_name(group) for path, group in found.groups.items()}
    if folds_case(found.root):
        same = one_case(groups.values())
        groups = {path: same[group] for path, group in groups.items()}
    splits = {} if config.splits == "drawn" else found.splits
    return Assignment(groups, splits, found.layouts, found.unit, found.root, found.remarks)


def _by_pattern(paths: Sequence[Path], pattern: str, base: Path) -> Assignment:
    matches = {path: re.search(pattern, path.relative_to(base).as_posix()) for path in paths}
    named = {path: found.groupdict() for path, found in matches.items() if found}
    groups = {path: speaker for path, names in named.items() if (speaker := names["speaker"])}
    splits = {
        path: split for path, names in named.items() if (split := split_named(names.get("split") or ""))
    }
    return Assignment(groups, splits, {"corpus.speaker_pattern": len(groups)}, "speakers", base)


def _by_setting(paths: Sequence[Path], config: CorpusConfig, base: Path) -> Assignment:
    level = config.folder_level or 1
    folders = {path: path.relative_to(base).parts[:-1] for path in paths}
    by_folder = config.group == "folder" or config.folder_level is not None
    groups = {path: parts[level - 1] for path, parts in folders.items() if len(parts) >= level and by_folder}
    splits = _by_layout(paths, published=True).splits if config.splits == "published" else {}
    return Assignment(
        groups, splits, {f"folders of level {level}": len(groups)} if groups else {}, "groups", base
    )


def _by_layout(paths: Sequence[Path], published: bool) -> Assignment:
    """Assign by known layouts, and the rest by the rule for unknown ones."""
    left = list(paths)
    corpora: list[Recognised] = []
    for layout in LAYOUTS:
        found = recognise(layout, left)
        corpora += found
        taken = {path for one in found for path in one.assigned}
        left = [path for path in left if path not in taken] if taken else left
    groups: dict[Path, str] = {}
    splits: dict[Path, Split] = {}
    for one in corpora:
        groups |= {path: each.group for path, each in one.assigned.items() if each.group}
        if published or not one.layout.on_request:
            splits |= {path: each.split for path, each in one.assigned.items() if each.split}
    layouts = Counter({one.layout: 0 for one in corpora})
    for one in corpora:
        layouts[one.layout] += len(one.assigned)
    counts = {layout.name: count for layout, count in layouts.items()}
    if left:
        rule = structure_of(left, common_folder(left))
        groups |= rule.groups
        splits |= rule.splits
        counts[rule.source or "no speakers in folders or names"] = len(left)
    units = {layout.unit for layout in layouts} or {"groups"}
    unit = units.pop() if len(units) == 1 and not (left and layouts) else "groups"
    root = corpora[0].root if len(corpora) == 1 and not left else common_folder(paths)
    remarks = () if published else tuple(_not_used(layout) for layout in layouts if layout.on_request)
    return Assignment(groups, _of_groups(groups, splits), counts, unit, root, remarks)


def _not_used(layout: Layout) -> str:
    ways = "/".join(split for split in SPLITS if split in layout.splits.values())
    return (
        f"{layout.name}: its published splits {ways} are not used, since {layout.on_request}; "
        "--set corpus.splits=published uses them"
    )


def _of_groups(groups: Mapping[Path, str], splits: Mapping[Path, Split]) -> dict[Path, Split]:
    """Return ``splits``, with those of groups that are in one split given to all recordings of the group."""
    of_group: dict[str, set[Split]] = {}
    for path, split in splits.items():
        if path in groups:
            of_group.setdefault(groups[path], set()).add(split)
    only = {group: next(iter(found)) for group, found in of_group.items() if len(found) == 1}
    return {**{path: only[group] for path, group in groups.items() if group in only}, **splits}
