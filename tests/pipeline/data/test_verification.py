"""Damaged rows are converted again or named, never used."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config.inputs import SpectrogramConfig, WaveformConfig
from pipeline.data.dataset import open_dataset, split_rows
from pipeline.data.preparation import prepare
from pipeline.diagnostics.dataset import examine_dataset
from pipeline.errors import UserError
from tests.helpers.builders import run_config, speakers_folder

CPU = torch.device("cpu")
KINDS = [
    WaveformConfig(sample_rate=8_000),
    SpectrogramConfig(kind="spectrogram", sample_rate=8_000, n_mels=20),
]


def overwrite(path: Path, position: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        file.write(data)


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.kind)
@pytest.mark.parametrize("damage", ["flip", "zeros"])
def test_damaged_rows_are_converted_again(
    config: WaveformConfig | SpectrogramConfig,
    damage: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = run_config(speakers_folder(tmp_path / "corpus"), config)
    path = prepare(settings)
    rows = path.parent.parent / "rows.bin"
    whole = rows.read_bytes()
    middle = len(whole) // 2
    bytes_there = bytes([whole[middle] ^ 4]) if damage == "flip" else bytes(2_000)
    overwrite(rows, middle, bytes_there)
    assert "damaged-rows" in {f.name for f in examine_dataset(path).findings if f.severity == "problem"}
    dataset = open_dataset(path, config)
    for split in ("train", "valid", "test"):
        split_rows(dataset, split, CPU)  # type: ignore[arg-type]
    assert rows.read_bytes() == whole
    assert dataset.rows.tobytes() == whole
    assert "were converted again" in capsys.readouterr().err


def test_damaged_rows_without_their_recording_are_named(tmp_path: Path) -> None:
    corpus = speakers_folder(tmp_path / "corpus")
    config = run_config(corpus)
    path = prepare(config)
    rows = path.parent.parent / "rows.bin"
    overwrite(rows, 1_000, bytes(500))
    shutil.rmtree(corpus)
    dataset = open_dataset(path, config.input)
    with pytest.raises(UserError, match=r"rows of one recording are damaged, such as .*speaker-0/0\.wav"):
        dataset.recording_rows(0)
    assert np.any(dataset.recording_rows(1).numpy())


def test_a_data_set_without_checksums_is_used_as_before(tmp_path: Path) -> None:
    import json

    config = run_config(speakers_folder(tmp_path / "corpus"))
    path = prepare(config)
    content = json.loads(path.read_text())
    for recording in content["recordings"]:
        del recording["checksum"], recording["content_hash"]
    path.write_text(json.dumps({key: value for key, value in content.items() if key != "checksum"}))
    dataset = open_dataset(path, config.input)
    assert len(split_rows(dataset, "train", CPU).length)
    assert "no-checksums" in {finding.name for finding in examine_dataset(path).findings}


@pytest.mark.parametrize("name", ["moments.bin", "catalogue.jsonl"])
def test_damage_beside_the_rows_is_mended(name: str, tmp_path: Path) -> None:
    folder = speakers_folder(tmp_path / "corpus")
    config = run_config(folder)
    path = prepare(config)
    whole = path.read_bytes()
    damaged = path.parent.parent / name
    content = damaged.read_bytes()
    overwrite(damaged, len(content) // 2, bytes([content[len(content) // 2] ^ 2]))
    path.unlink()
    assert prepare(config) == path
    if name == "moments.bin":
        assert path.read_bytes() == whole
        assert damaged.read_bytes() == content
    else:
        dataset = open_dataset(path, config.input)
        assert [len(split_rows(dataset, split, CPU).length) > 0 for split in ("train", "valid", "test")]
