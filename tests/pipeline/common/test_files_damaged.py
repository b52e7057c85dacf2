"""No damage to a JSON file of ours changes what is read from it, and whatever is there is one sentence."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from pipeline.common.files import parse_json, read_json, with_checksum, write_json
from pipeline.errors import UserError

CONTENT: dict[str, Any] = {
    "name": "ä",
    "odd file": "\udcff",
    "loss": [0.1, -1e-300, float("inf"), 12345678901234567890],
    "nested": {"1": None, "2": True, "3": {"b": 1, "a": []}},
}


def test_what_is_written_is_read_without_the_checksum(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", CONTENT)
    assert list(json.loads((tmp_path / "a.json").read_text()))[-1] == "checksum"
    assert read_json(tmp_path / "a.json", "file") == CONTENT
    assert parse_json(with_checksum(CONTENT).encode()) == CONTENT


def test_a_file_without_a_checksum_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(CONTENT))
    assert read_json(tmp_path / "a.json", "file") == CONTENT


def test_every_flip_cut_and_tail_of_zeros_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, CONTENT)
    whole, draw = path.read_bytes(), random.Random(11)
    for _ in range(600):
        damaged, position = bytearray(whole), draw.randrange(len(whole))
        kind = draw.choice(("flip", "zeros", "cut"))
        if kind == "flip":
            damaged[position] ^= 1 << draw.randrange(8)
        else:
            del damaged[position:]
            if kind == "zeros":
                damaged = damaged.ljust(len(whole), b"\0")
        path.write_bytes(damaged)
        try:
            found = read_json(path, "file")
        except UserError:
            continue
        # A flip within the key "checksum" leaves the content, and another key that no reader asks for.
        assert {key: found[key] for key in CONTENT} == CONTENT, (kind, position)


@pytest.mark.parametrize("content", ["[]", "null", "3", '"text"', "", "{", "[" * 99_999, "9" * 5_000, "\0"])
def test_another_shape_is_one_sentence_with_the_name(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=r"a\.json: not a readable file \(.*\); ") as printed:
        read_json(tmp_path / "a.json", "file")
    assert "\n" not in str(printed.value)


@pytest.mark.parametrize("kind", ["pipe", "endless device", "folder", "too long"])
def test_what_is_no_regular_file_of_its_size_is_rejected_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "too long":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match=r"a\.json: not a readable file"):
        read_json(path, "file")
