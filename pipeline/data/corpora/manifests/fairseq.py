"""Manifests of fairseq (wav2vec, HuBERT): a root folder, then lines of path, tab and number of frames."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.data.corpora.manifests.columns import published_split
from pipeline.data.corpora.manifests.entry import Entry, Format, sources_of
from pipeline.data.corpora.manifests.places import Places
from pipeline.data.corpora.manifests.texts import head_of, lines_of
from pipeline.data.corpora.source import Source


def read_file(path: Path, speaker_column: str | None = None) -> list[Source] | None:
    """Return the recordings of a manifest; the speaker is not in it."""
    lines = (head_of(path) or "").splitlines()[:3] if path.suffix.lower() == ".tsv" else []
    if len(lines) < 2 or "\t" in lines[0].strip() or not _is_row(lines[1]):
        return None
    named = Path(lines[0].strip()).expanduser()
    first = [root for root in (named, path.parent / named) if root.is_dir()]
    return sources_of(path, _entries(path), Places(path.parent, first))


def _is_row(line: str) -> bool:
    file, tab, frames = line.rstrip().partition("\t")
    return bool(file and tab and frames.isdigit())


def _entries(path: Path) -> Iterator[Entry]:
    split = published_split(path)
    rows = lines_of(path)
    next(rows)
    for number, line in rows:
        file = line.partition("\t")[0]
        if not _is_row(line):
            yield Entry(f"line {number}", file, reason="not a path, a tab and a number of frames")
        else:
            yield Entry(f"line {number}", file, split=split)


FAIRSEQ = Format("fairseq", read_file)
