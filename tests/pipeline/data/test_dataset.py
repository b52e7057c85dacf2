"""A prepared data set is read from its file, of whatever size that is."""

import json
import os
from pathlib import Path

import psutil
import torch

from pipeline.common.files import write_json
from pipeline.data.dataset import open_dataset, split_rows
from tests.helpers.builders import dataset_of, noise


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
