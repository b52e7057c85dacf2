"""The tables of Common Voice give speakers and the published splits."""

from pathlib import Path

from tests.helpers.manifests import facts, read


def test_common_voice(corpus: Path) -> None:
    (corpus / "wavs").rename(corpus / "clips")
    for name, clip in (("train", "a.wav"), ("dev", "b.flac"), ("validated", "a.wav")):
        (corpus / f"{name}.tsv").write_text(f'client_id\tpath\tsentence\nanna\t{clip}\tHe said "no.\n')
    assert facts(read(corpus)) == [("a.wav", "anna", "train"), ("b.flac", "anna", "valid")]
    assert facts(read(corpus / "validated.tsv")) == [("a.wav", "anna", None)]
