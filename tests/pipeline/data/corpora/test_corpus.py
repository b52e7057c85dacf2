"""Corpora as a whole: settings, published splits and what is said of them, one speaker, names of speakers."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.run import CorpusConfig
from pipeline.data.corpora.corpus import Corpus, find_corpus
from tests.helpers.corpora.published_layouts import PUBLISHED


def tree(root: Path, names: Sequence[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"RIFF")
    return root


def corpus_of(root: Path, *inputs: Path, **settings: Any) -> Corpus:
    return find_corpus(CorpusConfig(inputs=list(inputs) or [root], **settings))


def groups(corpus: Corpus) -> set[str | None]:
    return {source.group for source in corpus.sources}


def splits(corpus: Corpus) -> dict[str, str | None]:
    return {source.path.name: source.split for source in corpus.sources}


def published(name: str, root: Path) -> Path:
    return next(laid for laid in PUBLISHED if laid.name == name).make(root)


PEOPLE = [f"{who}/{index}.wav" for who in ("anna", "ben", "cleo", "dan") for index in range(3)]


# What is found


def test_what_was_found_is_one_line(tmp_path: Path) -> None:
    corpus = corpus_of(published("LibriSpeech", tmp_path / "LibriSpeech"))
    assert corpus.remarks[0] == "LibriSpeech: 12 speakers, splits train/valid/test as published"
    assert corpus_of(tree(tmp_path / "mine", PEOPLE)).remarks == (
        "folders of level 1: 4 groups, splits drawn",
    )


def test_a_set_of_pieces_has_its_own_splits(tmp_path: Path) -> None:
    one, both = tree(tmp_path, ["JSB.mat"]), tree(tmp_path / "two", ["JSB.mat", "mine.NPZ"])
    assert corpus_of(one / "JSB.mat").remarks == ("1 set of pieces, splits as given in the file",)
    assert corpus_of(both).remarks == ("2 sets of pieces, splits as given in the files",)


def test_a_training_split_of_which_validation_is_drawn_is_named(tmp_path: Path) -> None:
    remarks = corpus_of(published("VoiceBank-DEMAND", tmp_path / "voicebank")).remarks
    assert remarks[0].endswith(", splits train/test as published")
    assert any("no valid split is published" in remark for remark in remarks)


def test_a_part_of_a_corpus_is_the_same_corpus(tmp_path: Path) -> None:
    root = published("LibriSpeech", tmp_path / "LibriSpeech")
    part = corpus_of(root, root / "train-clean-100")
    assert part.root == corpus_of(root).root == root
    assert {source.split for source in part.sources} == {None}  # a training part alone is divided
    tests = corpus_of(root, root / "test-other")
    assert {source.split for source in tests.sources} == {None}
    assert any("only the published test split" in remark for remark in tests.remarks)
    whole = corpus_of(root, root / "test-other", splits="published")
    assert {source.split for source in whole.sources} == {"test"}


def test_published_splits_are_drawn_on_request(tmp_path: Path) -> None:
    corpus = corpus_of(published("TIMIT", tmp_path / "TIMIT"), splits="drawn")
    assert {source.split for source in corpus.sources} == {None}
    assert not corpus.published


def test_splits_that_share_speakers_are_used_on_request_with_a_warning(tmp_path: Path) -> None:
    root = published("Free Spoken Digit", tmp_path / "fsdd")
    assert any("every speaker stands in both" in remark for remark in corpus_of(root).remarks)
    corpus = corpus_of(root, splits="published")
    assert {source.split for source in corpus.sources} == {"test", None}
    assert any("groups stand in several of the published splits" in remark for remark in corpus.remarks)


def test_a_speaker_in_two_splits_is_named_and_the_splits_are_kept(tmp_path: Path) -> None:
    names = [
        f"{part}/{who}/{part}.wav" for part in ("train", "valid", "test") for who in ("anna", "ben", "cleo")
    ]
    corpus = corpus_of(tree(tmp_path / "c", [*names, "train/dan/other.wav"]))
    assert splits(corpus) == {
        "train.wav": "train",
        "valid.wav": "valid",
        "test.wav": "test",
        "other.wav": "train",
    }
    assert any("3 of 4 groups stand in several" in remark for remark in corpus.remarks)


# One speaker


@pytest.mark.parametrize("folder", ["", "anna/", "wavs/"])
def test_one_speaker_is_split_in_contiguous_stretches(folder: str, tmp_path: Path) -> None:
    root = tree(tmp_path / "c", [f"{folder}talk{index}.wav" for index in range(1, 21)])
    config = CorpusConfig(inputs=[root])
    corpus = find_corpus(config)
    drawn = corpus.draw_splits([(s.path, s.path.stem) for s in corpus.sources], config, {})
    in_order = [drawn[f"talk{index}"] for index in range(1, 21)]
    assert in_order == ["train"] * 16 + ["valid"] * 2 + ["test"] * 2
    assert any("contiguous stretches" in remark for remark in corpus.remarks)


def test_names_without_an_order_are_drawn_one_by_one(tmp_path: Path) -> None:
    corpus = corpus_of(tree(tmp_path / "c", [f"{word}.wav" for word in ("ash", "birch", "elm", "oak")]))
    assert not corpus.in_order
    assert any("one by one" in remark for remark in corpus.remarks)


def test_recordings_that_are_named_as_groups_are_drawn_by_their_hash(tmp_path: Path) -> None:
    root = tree(tmp_path / "c", [f"talk{index}.wav" for index in range(20)])
    assert not corpus_of(root, group="recording").in_order


# Settings


def test_the_level_the_pattern_or_the_recording_can_be_set(tmp_path: Path) -> None:
    names = [
        f"{place}/{who}/{index}.wav" for place in ("x", "y", "z") for who in ("a", "b") for index in range(2)
    ]
    root = tree(tmp_path / "c", names)
    assert groups(corpus_of(root)) == {"x", "y", "z"}
    assert groups(corpus_of(root, folder_level=2)) == {"a", "b"}
    assert groups(corpus_of(root, group="folder")) == {"x", "y", "z"}
    assert groups(corpus_of(root, group="recording")) == {None}
    pattern = r"(?P<speaker>[a-z]/[a-z])/"
    assert groups(corpus_of(root, speaker_pattern=pattern)) == {f"{p}/{w}" for p in "xyz" for w in "ab"}


def test_a_pattern_may_name_the_split(tmp_path: Path) -> None:
    root = tree(tmp_path / "c", [f"{part}-{who}.wav" for part in ("trn", "dev", "eval") for who in "ab"])
    corpus = corpus_of(root, speaker_pattern=r"(?P<split>\w+)-(?P<speaker>\w)\.")
    assert splits(corpus)["dev-a.wav"] == "valid"
    assert groups(corpus) == {"a", "b"}


@pytest.mark.parametrize(
    ("pattern", "reason"), [("(", "not a regular expression"), (r"\w+", "no group named speaker")]
)
def test_a_pattern_that_finds_no_speaker_is_an_error(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CorpusConfig(speaker_pattern=pattern)


# Names


def test_names_of_speakers_are_compared_as_people_read_them(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))
    parts = {"train": (composed, "anna "), "valid": (decomposed, "anna"), "test": ("ben", "dan  lee")}
    names = [f"{part}/{who}/{part}.wav" for part, people in parts.items() for who in people]
    assert groups(corpus_of(tree(tmp_path / "c", names))) == {composed, "anna", "ben", "dan lee"}
    table = tmp_path / "table.csv"
    table.write_text("path,speaker\nc/a.wav,sp4 \nc/b.wav,sp4\nc/c.wav,sp5\n")
    assert groups(corpus_of(table, group="speaker")) == {"sp4", "sp5"}
