"""A manifest of fairseq gives the files below its root."""

from pathlib import Path

from tests.helpers.manifests import facts, read, reasons


def test_fairseq_names_its_root_first(corpus: Path) -> None:
    manifest = corpus / "train.tsv"
    manifest.write_text(f"{corpus / 'wavs'}\na.wav\t16000\nb.flac\tx\n")
    assert facts(read(manifest)) == [("a.wav", None, None)]
    assert len(reasons(read(manifest))) == 1
