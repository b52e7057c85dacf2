"""AudioFolder's metadata at the root or in the folders of the splits."""

from pathlib import Path

import pytest

from pipeline.data.corpora.manifests import folder_manifest
from tests.helpers.manifests import facts, read


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "file_name,speaker_id\ntrain/a.wav,x\ntest/b.flac,y\n"),
        (
            "metadata.jsonl",
            '{"file_name": "train/a.wav", "speaker": "x"}\n{"file_name": "test/b.flac", "speaker": "y"}\n',
        ),
    ],
)
def test_metadata_at_the_root(corpus: Path, name: str, text: str) -> None:
    for split, file in (("train", "a.wav"), ("test", "b.flac")):
        (corpus / split).mkdir()
        (corpus / "wavs" / file).rename(corpus / split / file)
    (corpus / name).write_text(text)
    assert facts(read(corpus)) == [("a.wav", "x", "train"), ("b.flac", "y", "test")]


def test_metadata_in_each_split(corpus: Path) -> None:
    for split, file in (("train", "a.wav"), ("validation", "b.flac")):
        (corpus / split).mkdir()
        (corpus / "wavs" / file).rename(corpus / split / file)
        (corpus / split / "metadata.csv").write_text(f"file_name\n{file}\n")
    assert facts(read(corpus)) == [("a.wav", None, "train"), ("b.flac", None, "valid")]


def test_other_metadata_is_left_alone(corpus: Path) -> None:
    (corpus / "metadata.csv").write_text("id,age\nx,3\n")
    assert folder_manifest(corpus) is None
