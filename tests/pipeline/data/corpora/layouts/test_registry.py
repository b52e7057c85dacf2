"""Every published layout gives its speakers and splits, whatever way its recordings are named."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.run import CorpusConfig
from pipeline.data.corpora.corpus import Corpus, find_corpus
from pipeline.data.corpora.layouts.registry import LAYOUTS
from tests.helpers.corpora.layouts import Laid
from tests.helpers.corpora.published_layouts import ONE_READER, PUBLISHED

Found = dict[str, tuple[str | None, str | None]]


def found(corpus: Corpus, root: Path) -> Found:
    return {
        source.path.relative_to(root).as_posix(): (source.group, source.split) for source in corpus.sources
    }


def ways_to_name(root: Path, elsewhere: Path, files: list[str]) -> Iterator[tuple[str, list[Path]]]:
    """Ways to name all recordings below a root."""
    elsewhere.mkdir()
    paths = [root / file for file in files]
    yield "root", [root]
    yield "shell pattern", sorted(root.glob("*"))
    yield "folders", sorted({path.parent for path in paths})
    yield "files", paths
    (elsewhere / "list.txt").write_text("\n".join(map(str, paths)))
    yield "list", [elsewhere / "list.txt"]
    rows = (os.path.relpath(path, elsewhere) for path in paths)
    (elsewhere / "table.csv").write_text("\n".join(["path", *(f'"{row}"' for row in rows)]))
    yield "table", [elsewhere / "table.csv"]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("laid", [*PUBLISHED, *ONE_READER], ids=lambda laid: laid.name)
def test_speakers_and_splits_are_those_of_the_corpus_however_it_is_named(laid: Laid, tmp_path: Path) -> None:
    root = laid.make(tmp_path / "data" / "corpus")
    places = set()
    for way, inputs in ways_to_name(root, tmp_path / "elsewhere", list(laid.files)):
        corpus = find_corpus(CorpusConfig(inputs=inputs))
        assert found(corpus, root) == laid.files, way
        assert corpus.layout == laid.name, way
        places.add((corpus.root, corpus.in_order, corpus.published))
    assert len(places) == 1


@pytest.mark.parametrize("laid", PUBLISHED, ids=lambda laid: laid.name)
def test_no_split_is_empty_and_no_speaker_is_in_two(laid: Laid, tmp_path: Path) -> None:
    config = CorpusConfig(inputs=[laid.make(tmp_path / "corpus")])
    corpus = find_corpus(config)
    drawn = corpus.draw_splits(
        [(source.path, source.group or source.label) for source in corpus.sources if not source.split],
        config,
        {},
    )
    splits = {*drawn.values(), *(source.split for source in corpus.sources if source.split)}
    assert splits == {"train", "valid", "test"}
    given = {source.group: source.split for source in corpus.sources if source.split}
    assert not drawn.keys() & given.keys()


@pytest.mark.parametrize("laid", ONE_READER, ids=lambda laid: laid.name)
def test_one_reader_is_split_in_stretches(laid: Laid, tmp_path: Path) -> None:
    config = CorpusConfig(inputs=[laid.make(tmp_path / "corpus")], valid_fraction=0.2, test_fraction=0.2)
    corpus = find_corpus(config)
    drawn = corpus.draw_splits([(source.path, source.path.name) for source in corpus.sources], config, {})
    for folder in {Path(name).parent for name in laid.files}:
        in_order = [drawn[Path(name).name] for name in sorted(laid.files) if Path(name).parent == folder]
        assert in_order == sorted(in_order, key=["train", "valid", "test"].index)
        assert set(in_order) == {"train", "valid", "test"}
    assert any("one speaker" in remark for remark in corpus.remarks)


def test_side_files_are_counted_and_none_is_a_recording(tmp_path: Path) -> None:
    for number, laid in enumerate(PUBLISHED):
        corpus = find_corpus(CorpusConfig(inputs=[laid.make(tmp_path / str(number) / "corpus")]))
        assert corpus.side_files == len(laid.texts)


def test_every_layout_has_an_example() -> None:
    assert {layout.name for layout in LAYOUTS} == {laid.name for laid in (*PUBLISHED, *ONE_READER)}


def test_a_corpus_in_a_folder_of_others_keeps_its_layout(tmp_path: Path) -> None:
    """Several corpora named at once do not disturb each other."""
    timit = next(laid for laid in PUBLISHED if laid.name == "TIMIT")
    jvs = next(laid for laid in PUBLISHED if laid.name == "JVS")
    timit.make(tmp_path / "corpora" / "timit")
    jvs.make(tmp_path / "corpora" / "jvs")
    corpus = find_corpus(CorpusConfig(inputs=[tmp_path / "corpora"]))
    assert corpus.layout == "TIMIT, JVS"
    assert {source.group for source in corpus.sources} >= {"FCJF0", "jvs001"}
