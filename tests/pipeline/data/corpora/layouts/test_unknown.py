"""Layouts that nobody knows: speakers by folders or names, splits by the names of folders."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pipeline.config.types import Split
from pipeline.data.corpora.layouts.unknown import structure_of

ROOT = Path("/corpus")


def groups_of(names: Sequence[str]) -> Mapping[str, str]:
    found = structure_of([ROOT / name for name in names], ROOT).groups
    return {path.relative_to(ROOT).as_posix(): group for path, group in found.items()}


def crossed(pattern: str, speakers: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """The speaker of each file of a pattern with {speaker}, {other} and {index}."""
    return {
        pattern.format(speaker=speaker, other=other, index=index): speaker
        for speaker in speakers
        for other in others
        for index in range(2)
    }


PEOPLE = ("anna", "ben", "cleo")


@pytest.mark.parametrize(
    "expected",
    [
        crossed("{speaker}/{other}{index}.wav", PEOPLE, ["a", "b"]),
        crossed("{speaker}/{other}/{index}.wav", PEOPLE, ["session1", "session2"]),
        crossed("wavs/{speaker}/{other}{index}.wav", PEOPLE, ["a"]),
        crossed("{other}/{speaker}/{index}.wav", PEOPLE, ["train", "test"]),
        crossed("data/{other}/{speaker}/wav/{index}.wav", PEOPLE, ["Training", "Validation"]),
        crossed("{other}/{speaker}/{index}.wav", PEOPLE, ["angry", "happy"]),
        crossed("{other}/{speaker}/{index}.wav", PEOPLE, ["male", "female"]),
        crossed("{other}/{speaker}/{index}.wav", ["spk01", "spk02", "spk03"], ["harbour", "street"]),
        crossed("{other}/{speaker}/{speaker}_{index}.wav", PEOPLE, ["harbour", "street"]),
        crossed("{speaker}_{other}_{index}.wav", PEOPLE, ["a", "b"]),
        crossed("wav/{other}-{speaker}-{index}.wav", PEOPLE, ["1", "2"]),
        crossed("{speaker}S{other}{index}.wav", ["F01", "F02", "M01"], ["1", "2"]),
        crossed("{other}/{speaker}_{index}.wav", PEOPLE, ["train", "dev", "test"]),
    ],
    ids=lambda expected: next(iter(expected)),
)
def test_the_level_or_part_that_repeats_is_the_speaker(expected: dict[str, str]) -> None:
    assert groups_of(list(expected)) == expected


@pytest.mark.parametrize(
    "names",
    [
        [f"{index}.wav" for index in range(20)],
        [f"recording_{index:03}.wav" for index in range(20)],
        [f"2024-05-{day:02}_10-30-00.wav" for day in range(1, 20)],
        [f"wav/take{index}.wav" for index in range(20)],
        [f"normal/{index}.wav" for index in range(5)] + [f"abnormal/{index}.wav" for index in range(5)],
    ],
)
def test_recordings_of_nobody_in_particular_have_no_groups(names: list[str]) -> None:
    assert groups_of(names) == {}


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("train", "validation", "test"), ("train", "valid", "test")),
        (("Train", "Dev", "Eval"), ("train", "valid", "test")),
        (("training", "val", "testing"), ("train", "valid", "test")),
        (("TRAIN", "TEST"), ("train", "test")),
        (("train-clean", "dev-clean", "eval_set"), ("train", "valid", "test")),
    ],
)
@pytest.mark.parametrize("pattern", ["{folder}/{speaker}/1.wav", "data/{folder}/{speaker}.wav"])
def test_folders_named_like_splits_are_splits(
    folders: tuple[str, ...], expected: tuple[Split, ...], pattern: str
) -> None:
    split_of = {
        ROOT / pattern.format(folder=folder, speaker=f"{folder}-{speaker}"): split
        for folder, split in zip(folders, expected, strict=True)
        for speaker in PEOPLE
    }
    assert structure_of(list(split_of), ROOT).splits == split_of


def test_speakers_named_like_splits_are_no_splits_without_a_training_part() -> None:
    names = [f"{who}/{index}.wav" for who in ("test", "dev", "anna") for index in range(3)]
    structure = structure_of([ROOT / name for name in names], ROOT)
    assert not structure.splits
    assert set(structure.groups.values()) == {"test", "dev", "anna"}
