"""Rows of parquet files with embedded sound are recordings, bit for bit those of the files inside."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.audio.decode import read_mono
from pipeline.data.corpora.manifests import read_manifest
from pipeline.data.corpora.opening import open_source
from pipeline.errors import RecordingRejected, UserError
from tests.helpers.manifests import facts, read

RATE = 8_000


def written(path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, **options)
    return path


def embedded(file: Path, **more: Any) -> dict[str, Any]:
    return {"audio": {"bytes": file.read_bytes(), "path": file.name}, **more}


def test_shards_with_speakers_and_splits(corpus: Path) -> None:
    a, b, c = (corpus / "wavs" / name for name in ("a.wav", "b.flac", "c.wav"))
    shards = corpus / "data"
    rows = [embedded(a, speaker_id=4), embedded(b, speaker_id=5)]
    written(shards / "train-00000-of-00002.parquet", rows, row_group_size=1)
    written(shards / "train-00001-of-00002.parquet", [embedded(c, speaker_id=4)])
    written(shards / "validation-00000-of-00001.parquet", [embedded(a, speaker_id=6)])
    sources = read(corpus)
    assert [(group, split) for _, group, split in facts(sources)] == [
        ("4", "train"),
        ("5", "train"),
        ("4", "train"),
        ("6", "valid"),
    ]
    assert len({source.label for source in sources}) == 4
    for source, file in zip(sources, (a, b, c, a), strict=True):
        with open_source(source) as recording:
            assert (recording.read(RATE) == read_mono(file, RATE)[0]).all()


def test_a_row_without_sound_is_rejected_alone(corpus: Path) -> None:
    empty = {"audio": {"bytes": None, "path": "gone.wav"}}
    table = written(corpus / "x.parquet", [embedded(corpus / "wavs/a.wav"), empty])
    good, bad = read(table)
    with open_source(good) as recording:
        assert len(recording.read(RATE)) == 2 * RATE
    with pytest.raises(RecordingRejected, match="row 1 holds no sound"), open_source(bad):
        pass


def test_parquet_with_paths_is_a_table(corpus: Path) -> None:
    table = written(corpus / "x.parquet", [{"path": "wavs/a.wav", "speaker": "x", "split": "dev"}])
    assert facts(read(table)) == [("a.wav", "x", "valid")]


def test_other_and_damaged_parquet(corpus: Path) -> None:
    assert read_manifest(written(corpus / "x.parquet", [{"text": "a"}])) is None
    table = written(corpus / "x.parquet", [embedded(corpus / "wavs/a.wav")])
    table.write_bytes(table.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a readable parquet file") as error:
        read_manifest(table)
    assert "\n" not in str(error.value)
