"""A corpus on a server has the recordings, groups, splits and remarks of the same corpus in a folder."""

from pathlib import Path
from typing import Any

import fsspec
import pytest

from pipeline.common.places import place_of
from pipeline.config.run import CorpusConfig
from pipeline.data.corpora.corpus import Corpus, find_corpus
from pipeline.data.corpora.named import find_sources
from pipeline.data.corpora.remote import mirror
from pipeline.errors import UserError
from tests.helpers.corpora.published_layouts import PUBLISHED


def uploaded(root: Path, name: str) -> str:
    """Copy a folder to the memory of this process, and return its address."""
    system = fsspec.filesystem("memory")
    for path in root.rglob("*"):
        if path.is_file():
            system.pipe(f"/{name}/{path.relative_to(root).as_posix()}", path.read_bytes())
    return f"memory://{name}"


def found(root: Path | str, *inputs: Path | str, **settings: Any) -> tuple[Corpus, list[tuple[Any, ...]]]:
    """Return a corpus, and what was found of each recording with its path below ``root``."""
    corpus = find_corpus(CorpusConfig(inputs=list(inputs) or [root], **settings))
    return corpus, [
        (source.label.removeprefix(f"{root}/"), source.group, source.split, source.row, source.start_seconds)
        for source in corpus.sources
    ]


def assert_same(here: tuple[Corpus, Any], there: tuple[Corpus, Any]) -> None:
    assert there[1] == here[1]
    for fact in ("remarks", "layout", "published", "in_order", "side_files"):
        assert getattr(there[0], fact) == getattr(here[0], fact)


@pytest.mark.parametrize("layout", PUBLISHED, ids=lambda layout: layout.name)
def test_a_published_layout_is_the_same_on_a_server(layout: Any, tmp_path: Path) -> None:
    root = layout.make(tmp_path / "corpus")
    address = uploaded(root, f"layouts/{PUBLISHED.index(layout)}")
    here, there = found(root), found(address)
    assert_same(here, there)
    assert str(there[0].root).startswith(address.rpartition("/")[0])


def test_recordings_named_one_by_one_are_described_by_the_tables_above_them(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    (root / "wavs").mkdir(parents=True)
    lines = ["file_name,speaker_id,split"]
    for index in range(6):
        (root / "wavs" / f"{index}.wav").write_bytes(b"RIFF")
        lines.append(f"wavs/{index}.wav,s{index % 3},{'dev' if index % 3 == 2 else 'train'}")
    (root / "metadata.csv").write_text("\n".join(lines))
    address = uploaded(root, "named")
    names = [f"wavs/{index}.wav" for index in range(6)]
    here = found(root, *(root / name for name in names))
    there = found(address, *(f"{address}/{name}" for name in names))
    assert_same(here, there)
    assert {group for _, group, *_ in there[1]} == {"s0", "s1", "s2"}
    assert_same(here, found(address, f"{address}/metadata.csv"))


def test_a_data_folder_of_kaldi_with_segments_and_one_with_addresses(tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "audio").mkdir(parents=True)
    (root / "audio" / "a.wav").write_bytes(b"RIFF")
    (root / "wav.scp").write_text("a audio/a.wav\nb memory://elsewhere/b.wav\nc sox x.wav -t wav - |\n")
    (root / "segments").write_text("u1 a 0 1.5\nu2 a 1.5 3\nu3 b 0.5 1\nu4 c 0 1\n")
    (root / "utt2spk").write_text("u1 anna\nu2 ben\nu3 cleo\nu4 dan\n")
    address = uploaded(root, "kaldi")
    here, there = found(root), found(address)
    assert_same(here, there)
    assert [label for label, *_ in there[1][:3]] == [
        "audio/a.wav#u1",
        "audio/a.wav#u2",
        "memory://elsewhere/b.wav#u3",
    ]
    assert "never run" in str(there[0].sources[3].reason)


@pytest.mark.parametrize("in_struct", [True, False])
def test_rows_of_parquet_are_found_without_their_sound(
    tmp_path: Path, in_struct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow
    from pyarrow import parquet

    root = tmp_path / "set"
    (root / "data").mkdir(parents=True)
    sound = bytes(200_000)
    for split in ("train", "validation"):
        rows = [
            {
                "audio": {"bytes": sound, "path": f"{index}.wav"} if in_struct else sound,
                "speaker": index % 3,
            }
            for index in range(12)
        ]
        parquet.write_table(
            pyarrow.Table.from_pylist(rows), root / "data" / f"{split}-0.parquet", compression="none"
        )
    address = uploaded(root, f"parquet-{in_struct}")
    sizes = []

    class Watched(mirror.Mirror):
        def shown(self, inputs: Any) -> Any:
            paths = super().shown(inputs)
            sizes.append(sum(path.stat().st_size for path in self.folder.rglob("*.parquet")))
            return paths

    monkeypatch.setattr("pipeline.data.corpora.named.Mirror", Watched)
    there = found(address)
    assert_same(found(root), there)
    assert max(sizes) < 20_000
    assert len(there[1]) == 24


def test_a_list_of_addresses_and_a_table_with_a_wrong_one(tmp_path: Path) -> None:
    files = [f"memory://corpora/{who}/{index}.wav" for who in ("anna", "ben") for index in range(3)]
    (tmp_path / "list.txt").write_text("\n".join(files))
    assert [str(source.path) for source in find_sources([tmp_path / "list.txt"])] == files
    corpus, _ = found(tmp_path, tmp_path / "list.txt")
    assert {source.group for source in corpus.sources} == {"anna", "ben"}
    assert str(corpus.root) == "memory://corpora"
    (tmp_path / "table.csv").write_text(f"path\n{files[0]}\nnosuchscheme://x/y.wav\n")
    good, bad = find_sources([tmp_path / "table.csv"])
    assert str(good.path) == files[0]
    assert "nosuchscheme" in str(bad.reason)


def test_errors_name_addresses(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/texts/a.txt", b"no recording")
    for address in ("memory://texts", "memory://texts/gone.wav", "memory://nowhere"):
        with pytest.raises(UserError, match=address) as problem:
            find_sources([place_of(address)])
        assert "wavecast-layout" not in str(problem.value)
