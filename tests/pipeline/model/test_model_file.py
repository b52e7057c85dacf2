"""A model folder is verified before use: neither damage nor impossible settings change results silently."""

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from pipeline.common.files import write_json
from pipeline.common.hashing import checksum
from pipeline.errors import UserError
from pipeline.model.model_file import read_model_file
from pipeline.model.storage import load_model, save_model
from tests.helpers.builders import tiny_model
from tests.helpers.commands import saved_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tiny_model()
    weights = model.network.state_dict()
    trained = {"loudest_level": 0.1}
    save_model(tmp_path / "model", weights, model.input, model.model, model.normalisation, trained)
    return tmp_path / "model"


def rejection(folder: Path) -> str:
    with pytest.raises(UserError) as printed:
        _ = load_model(folder).network
    assert "\n" not in str(printed.value)
    assert str(folder) in str(printed.value)
    return str(printed.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_every_flipped_bit_is_noticed_or_harmless(name: str, folder: Path) -> None:
    path, before = folder / name, load_model(folder)
    whole = path.read_bytes()
    draw = random.Random(7)
    for position in draw.sample(range(len(whole)), 60):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        try:
            after = load_model(folder)
        except UserError:
            continue
        facts = ("input", "model", "normalisation", "trained")
        assert all(getattr(before, fact) == getattr(after, fact) for fact in facts), position
        assert all(np.array_equal(before.weights()[key], x) for key, x in after.weights().items()), position


def test_weights_of_another_model_of_the_same_shape_are_rejected(folder: Path, tmp_path: Path) -> None:
    other = tiny_model(seed=5)
    save_model(tmp_path / "b", other.network.state_dict(), other.input, other.model, other.normalisation, {})
    (tmp_path / "b" / "model.safetensors").replace(folder / "model.safetensors")
    assert "not those that config.json was written with" in rejection(folder)


def test_a_folder_of_an_earlier_release_has_no_checksums_and_is_loaded(folder: Path) -> None:
    content = read_model_file(folder)
    del content["weights"]
    (folder / "config.json").write_text(json.dumps(content))
    assert torch.equal(
        load_model(folder).network.head.projection.weight,
        torch.from_numpy(load_file(folder / "model.safetensors")["head.projection.weight"]),
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: c["normalisation"].update(std=[1e300]), "normalisation.std"),
        (lambda c: c["normalisation"].update(mean=[-1e300]), "normalisation.mean"),
        (lambda c: c["normalisation"].update(low=[1.0], high=[-1.0]), "range"),
        (lambda c: c["normalisation"].update(low=[float("nan")]), "normalisation.low"),
        (lambda c: c.update(trained=None), "trained"),
        (lambda c: c["trained"].update(loudest_level=float("nan")), "loudest_level"),
        (lambda c: c["trained"].update(loudest_level=-1), "loudest_level"),
        (lambda c: c["trained"].update(loudest_level="loud"), "loudest_level"),
        (lambda c: c["model"].update(scale_floor=1e300), "scale_floor"),
        (lambda c: c["model"].update(scale_floor=float("inf")), "scale_floor"),
        (lambda c: c["model"].update(hidden_size=10**9), "damaged model"),
        (lambda c: c["model"].update(convolutions=[[10**6, 10**3, 1], [10**6, 10**3, 1]]), "do not fit"),
        (lambda c: c["model"].update(convolutions=[[10**12, 10**12, 1]]), "damaged model"),
        (lambda c: c["model"].update(mixture_components=10**9), "do not fit"),
        (lambda c: c["input"].update(window=10**15), "do not fit|damaged model"),
    ],
)
def test_settings_without_a_meaning_are_one_sentence(
    change: Callable[[dict[str, Any]], Any], complaint: str, folder: Path
) -> None:
    content = read_model_file(folder)
    change(content)
    write_json(folder / "config.json", content)
    assert re.search(complaint, rejection(folder))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_rejected(value: float, folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    weights[name].flat[0] = value
    save_file(weights, folder / "model.safetensors")
    data = (folder / "model.safetensors").read_bytes()
    write_json(folder / "config.json", {**read_model_file(folder), "weights": checksum(data)})
    assert f"{name} is not finite" in rejection(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "endless device", "folder"])
def test_what_is_no_regular_file_is_rejected_at_once(name: str, kind: str, folder: Path) -> None:
    (folder / name).unlink()
    if kind == "pipe":
        os.mkfifo(folder / name)
    elif kind == "folder":
        (folder / name).mkdir()
    else:
        (folder / name).symlink_to("/dev/zero")
    assert "not a readable" in rejection(folder)


def test_deep_nesting_is_one_sentence(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)
    assert "nested too deeply" in rejection(folder)
    (folder / "config.json").write_text('{"a":' * 100_000)
    assert "nested too deeply" in rejection(folder)


def test_a_damaged_folder_is_named_in_one_short_sentence(tmp_path: Path) -> None:
    """Also where the damage shows only when the model is first used."""
    for name, size in (("a-text", "many"), ("other-sizes", 10**9)):
        folder = saved_model(tmp_path / name)
        content = json.loads((folder / "config.json").read_text())
        content["model"]["hidden_size"] = size
        del content["checksum"]
        write_json(folder / "config.json", content)
        with pytest.raises(UserError, match=f"{name}: damaged model") as caught:
            _ = load_model(folder).compiled
        assert "pydantic" not in str(caught.value)
        assert len(str(caught.value)) < len(str(folder)) + 200
