"""A prepared data set is read from its file, of whatever size that is."""

import json
import os
from dataclasses import replace
from pathlib import Path

import psutil
import torch

from pipeline.common.files import write_json
from pipeline.data.dataset import open_dataset, split_rows
from pipeline.data.manifest import read_manifest
from tests.helpers.builders import dataset_of, noise, prepared, run_config, tone, write_sound


def test_a_data_set_larger_than_the_memory_is_opened_and_read(tmp_path: Path) -> None:
    sound = noise(500)
    dataset = dataset_of(tmp_path, {"train": [sound, noise(300, 1)], "valid": [noise(200, 2)]})
    content = json.loads(dataset.path.read_text())
    far = 2 * psutil.virtual_memory().total // 4 * 2
    last = content["recordings"][-1]
    os.truncate(tmp_path / "rows.bin", 2 * (far + last["length"]))  # a hole takes no space on the disk
    content["recordings"][-1] = {**last, "offset": far, "checksum": None}
    write_json(dataset.path, {key: value for key, value in content.items() if key != "checksum"})
    opened = open_dataset(dataset.path, dataset.input)
    assert opened.rows.nbytes > psutil.virtual_memory().total
    data = split_rows(opened, "train", torch.device("cpu"))
    begin = int(data.offset[0])
    assert data.rows[begin : begin + 500, 0].tolist() == sound.tolist()
    assert not data.rows[far:].any()


def test_unused_low_bits_are_known_from_the_preparation_or_found_in_the_rows(tmp_path: Path) -> None:
    """Resampled sound has none; a data set of an earlier release does not state them."""
    write_sound(tmp_path / "in/a/eight.wav", tone(900, 1) & -256)
    write_sound(tmp_path / "in/b/whole.wav", tone(900, 2) | 1)
    write_sound(tmp_path / "in/c/faster.wav", tone(900, 3) & -256, 16_000)
    dataset = prepared(run_config(tmp_path / "in"))
    found = {
        Path(name).stem: entry["unused_bits"]
        for name, entry in zip(dataset.recording, dataset.entries, strict=True)
    }
    assert found == {"eight": 8, "whole": 0, "faster": 0}
    records = read_manifest(dataset.path.with_name("manifest.jsonl"))
    assert {record.path.stem: record.unused_bits for record in records} == found
    for entries in (dataset.entries, [{**entry, "unused_bits": None} for entry in dataset.entries]):
        data = split_rows(
            replace(dataset, entries=entries, split=["train"] * 3), "train", torch.device("cpu")
        )
        order = [Path(name).stem for name in dataset.recording]
        assert data.unused_bits.tolist() == [found[name] for name in order]
        assert data.distances.tolist() == [1 << found[name] for name in order] + [1]
