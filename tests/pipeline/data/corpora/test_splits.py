"""Splits: no group in two, none ever moves, and none of the three left empty without need."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.run import CorpusConfig
from pipeline.config.types import SPLITS, Split
from pipeline.data.corpora.splits import (
    assign_splits,
    assign_stretches,
    in_order_of_names,
    remembered_splits,
)
from pipeline.errors import UserError

names = st.text(max_size=8)
groups = st.sets(names, max_size=40)
fractions = st.floats(0, 0.45)
seeds = st.integers(0, 2**32)


def sizes(splits: dict[str, Split]) -> Counter[str]:
    return Counter(splits.values())


@given(groups, fractions, fractions, seeds)
def test_each_group_has_one_split_whatever_the_order(
    found: set[str], valid: float, test: float, seed: int
) -> None:
    splits = assign_splits(found, valid, test, seed, {})
    assert splits.keys() == found
    assert set(splits.values()) <= set(SPLITS)
    assert assign_splits([*sorted(found, reverse=True), *found], valid, test, seed, {}) == splits


@given(groups, groups, fractions, fractions, seeds)
def test_no_group_moves_when_others_come(
    first: set[str], more: set[str], valid: float, test: float, seed: int
) -> None:
    before = assign_splits(first, valid, test, seed, {})
    after = assign_splits(first | more, valid, test, seed, before)
    assert before.items() <= after.items()
    assert assign_splits(first | more, valid, test, seed, after) == after


@given(groups, st.dictionaries(names, st.sampled_from(SPLITS)), fractions, fractions, seeds)
def test_a_known_group_keeps_its_split(
    found: set[str], known: dict[str, Split], valid: float, test: float, seed: int
) -> None:
    splits = assign_splits(found, valid, test, seed, known)
    assert splits.keys() == found
    assert all(splits[group] == known[group] for group in found & known.keys())


@given(groups, fractions, fractions, seeds)
def test_splits_fill_up_in_the_order_train_valid_test(
    found: set[str], valid: float, test: float, seed: int
) -> None:
    wanted = ["train", *(["valid"] if valid else []), *(["test"] if test else [])]
    filled = {split for split, size in sizes(assign_splits(found, valid, test, seed, {})).items() if size}
    if len(found) >= len(wanted):
        assert filled == set(wanted)
    else:
        assert filled == set(wanted[: len(found)])


@pytest.mark.parametrize(
    ("found", "expected"), [(1, {"train": 1}), (2, {"train": 1, "valid": 1}), (3, dict.fromkeys(SPLITS, 1))]
)
def test_few_groups_train_first_then_validate(found: int, expected: dict[str, int]) -> None:
    for seed in range(50):
        assert sizes(assign_splits(map(str, range(found)), 0.1, 0.1, seed, {})) == expected


def test_large_corpora_have_the_fractions_asked_for() -> None:
    splits = sizes(assign_splits((f"speaker{i}" for i in range(20_000)), 0.1, 0.2, 1, {}))
    assert splits["valid"] == pytest.approx(2_000, abs=150)  # 3.5 standard deviations
    assert splits["test"] == pytest.approx(4_000, abs=200)


def test_the_seed_changes_the_splits_and_nothing_else_does() -> None:
    found = [f"speaker{i}" for i in range(100)]
    assert assign_splits(found, 0.1, 0.1, 1, {}) != assign_splits(found, 0.1, 0.1, 2, {})
    # The rule itself is a promise: data prepared by an older release must not be split anew.
    assert [assign_splits(found, 0.1, 0.1, 1, {})[group] for group in found[:24]] == OF_SEED_1


OF_SEED_1 = [{1: "valid", 5: "valid", 8: "valid", 12: "valid", 19: "test"}.get(i, "train") for i in range(24)]


@pytest.mark.parametrize(("valid", "test"), [(-0.1, 0.1), (0.5, 0.5), (0.1, 1.2)])
def test_fractions_that_leave_nothing_to_train_on_are_refused(valid: float, test: float) -> None:
    with pytest.raises(UserError, match="their sum must be below 1"):
        assign_splits(["a"], valid, test, 1, {})


# Stretches

sequences = st.lists(names, min_size=1, max_size=40, unique=True)
held_out = st.floats(0.01, 0.45)


@given(sequences, held_out, held_out)
def test_stretches_are_contiguous_and_none_is_empty(ordered: list[str], valid: float, test: float) -> None:
    splits = [assign_stretches(ordered, valid, test, {})[name] for name in ordered]
    assert splits == sorted(splits, key=SPLITS.index)
    assert len(set(splits)) == min(3, len(ordered))


@given(sequences, sequences, held_out, held_out)
def test_no_recording_moves_when_others_come(
    first: list[str], more: list[str], valid: float, test: float
) -> None:
    before = assign_stretches(first, valid, test, {})
    after = assign_stretches([*first, *more], valid, test, before)
    assert before.items() <= after.items()
    assert len(set(after.values())) >= min(3, len(first))


def test_numbers_in_names_count_by_their_value_and_folders_go_side_by_side() -> None:
    paths = [Path(f"/c/{book}/{index}.wav") for book in "ab" for index in (1, 2, 10, 11)]
    ordered = [str(path) for path, _ in in_order_of_names((path, str(path)) for path in paths)]
    assert ordered == [f"/c/{book}/{index}.wav" for index in (1, 2, 10, 11) for book in "ab"]


# What is remembered


def test_what_is_remembered_does_not_depend_on_how_the_recordings_are_named(tmp_path: Path) -> None:
    for who in ("anna", "ben"):
        (tmp_path / who).mkdir()
    by_root, by_folders = (
        CorpusConfig(inputs=inputs) for inputs in ([tmp_path], [tmp_path / "anna", tmp_path / "ben"])
    )
    rule, known = remembered_splits({}, by_root, tmp_path)
    assert (rule, known) == remembered_splits({}, by_folders, tmp_path)
    assert remembered_splits({rule: {"anna": "test"}}, by_folders, tmp_path)[1] == {"anna": "test"}


def test_splits_remembered_by_an_earlier_release_are_kept(tmp_path: Path) -> None:
    """It named a corpus by the folders of the inputs."""
    folders = [tmp_path / "anna", tmp_path / "ben"]
    for folder in folders:
        folder.mkdir()
    earlier = {f"0/0.1/0.1 {folders[0]} {folders[1]}": {"x": "valid"}, f"0/0.1/0.1 {tmp_path}": {"y": "test"}}
    assert remembered_splits(earlier, CorpusConfig(inputs=[tmp_path]), tmp_path)[1] == {"y": "test"}
    del earlier[f"0/0.1/0.1 {tmp_path}"]
    assert remembered_splits(earlier, CorpusConfig(inputs=folders), tmp_path)[1] == {"x": "valid"}
