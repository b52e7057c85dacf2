"""A model folder gives back the very model, and anything else gives one line that says what is wrong."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor

from models.recurrent.cells import CELLS
from pipeline.common.files import write_json
from pipeline.common.hashing import checksum
from pipeline.config.inputs import InputConfig, SpectrogramConfig, WaveformConfig
from pipeline.errors import UserError
from pipeline.model.model_file import FORMAT, read_model_file
from pipeline.model.storage import load_model, save_model
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import tiny_model

INPUTS: list[InputConfig] = [
    WaveformConfig(),
    WaveformConfig(sample_rate=8_000, window=64, hop=7),
    SpectrogramConfig(kind="spectrogram", n_mels=12),
    SpectrogramConfig(
        kind="spectrogram", n_mels=0, n_fft=64, window_length=64, hop_length=16, dtype="float32"
    ),
]


def saved(model: TrainedModel, folder: Path, **weights: Tensor) -> Path:
    everything = {**model.network.state_dict(), **weights}
    save_model(folder, everything, model.input, model.model, model.normalisation, model.trained)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as printed:
        _ = load_model(folder).network
    assert "\n" not in str(printed.value)
    assert str(folder) in str(printed.value)
    return str(printed.value)


def changed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The folder with another `config.json`, whose checksum is valid."""
    content = read_model_file(folder)
    write_json(folder / "config.json", change(content) or content)
    return folder


def sealed(folder: Path) -> None:
    """State the checksum of the weights that are there now."""
    weights = checksum((folder / "model.safetensors").read_bytes())
    changed(folder, lambda content: content.update(weights=weights))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("config", INPUTS, ids=["samples", "other framing", "mel", "linear"])
def test_a_saved_model_says_the_very_same(
    cell: str, layers: int, config: InputConfig, tmp_path: Path
) -> None:
    model = tiny_model(config, cell=cell, num_layers=layers, dropout=0.3, mixture_components=5)
    loaded = load_model(saved(model, tmp_path / "model"))
    assert not loaded.network.training
    assert (loaded.input, loaded.model, loaded.normalisation, loaded.trained) == (
        model.input,
        model.model,
        model.normalisation,
        model.trained,
    )
    assert loaded.framing == model.framing
    inputs = torch.randn(3, 9, model.framing.input_size)
    with torch.no_grad():
        for one, other in zip(
            model.network(inputs, model.network.initial_state(3)),
            loaded.network(inputs, loaded.network.initial_state(3)),
            strict=True,
        ):
            parts = [list(vars(x).values()) if hasattr(x, "mean") else list(x) for x in (one, other)]
            assert len(parts[0]) >= 1
            assert all(torch.equal(a, b) for a, b in zip(*parts, strict=True))


def test_numbers_survive_to_the_last_bit(tmp_path: Path) -> None:
    model = tiny_model()
    exact = type(model.normalisation)((0.1 + 0.2,), (1 / 3,))
    save_model(
        tmp_path, model.network.state_dict(), model.input, model.model, exact, {"loss": 1e-300, "n": 3}
    )
    loaded = load_model(tmp_path)
    assert loaded.normalisation == exact
    assert loaded.trained == {"loss": 1e-300, "n": 3}


def test_weights_of_a_training_run_can_be_saved(tmp_path: Path) -> None:
    """They need gradients, and may be views of a larger tensor."""
    model = tiny_model()
    larger = {name: torch.stack([w, w])[1] for name, w in model.network.named_parameters()}
    assert all(weight.requires_grad for weight in larger.values())
    loaded = load_model(saved(model, tmp_path, **larger))
    for name, weight in loaded.network.named_parameters():
        assert torch.equal(weight, larger[name])


def test_a_folder_holds_two_files_and_no_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(tiny_model(), tmp_path / "model")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    weights = (folder / "model.safetensors").read_bytes()
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    assert "head.projection.weight" in header

    def forbidden(*arguments: object, **named: object) -> None:
        raise AssertionError("a model folder is loaded without running what is in it")

    for module, name in [(pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")]:
        monkeypatch.setattr(module, name, forbidden)
    load_model(folder)


def test_a_saved_model_replaces_the_one_before(tmp_path: Path) -> None:
    saved(tiny_model(seed=1), tmp_path)
    second = tiny_model(seed=2, cell="lstm")
    assert load_model(saved(second, tmp_path)).model.cell == "lstm"


# What is refused


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda c: c.update(format="wavecast-model-0"),
            f"not a model of this version of wavecast .*{FORMAT}",
        ),
        (lambda c: c.pop("format") and None, "not a model of this version"),
        (lambda c: [c], "not a model of this version"),
        (lambda c: c.pop("input") and None, "damaged model .*input"),
        (lambda c: c.pop("normalisation") and None, "damaged model .*normalisation"),
        (lambda c: c.update(normalisation=[0, 1]), "damaged model"),
        (lambda c: c.update(model=[]), "damaged model"),
        (lambda c: c["model"].update(cell="rnn"), "damaged model .*'tanh', 'gru', 'lstm', 'chung2014-tanh'"),
        (lambda c: c["model"].update(colour=3), "damaged model .*colour"),
        (lambda c: c["input"].update(kind="piano"), "damaged model .*piano"),
        (lambda c: c["input"].update(window=21), "damaged model .*do not fit its settings"),
        (lambda c: c["model"].update(hidden_size=13), "damaged model .*do not fit its settings"),
        (lambda c: c["model"].update(num_layers=2), "damaged model .*do not fit its settings"),
        (lambda c: c["model"].update(cell="lstm"), "damaged model .*do not fit its settings"),
        (lambda c: c["normalisation"].update(mean=[0, 0]), "damaged model .*another width"),
        (lambda c: c["normalisation"].update(mean=[], std=[]), "damaged model .*another width"),
        (lambda c: c["normalisation"].update(std=[0]), "damaged model .*positive"),
        (lambda c: c["normalisation"].update(std=[-1]), "damaged model .*positive"),
        (lambda c: c["normalisation"].update(std=[float("nan")]), "damaged model .*positive"),
        (lambda c: c["normalisation"].update(mean=["loud"]), "damaged model"),
    ],
)
def test_a_changed_configuration_is_refused(
    change: Callable[[dict[str, Any]], Any], complaint: str, tmp_path: Path
) -> None:
    assert re.search(complaint, refusal(changed(saved(tiny_model(), tmp_path), change)))


def as_pickle(path: Path) -> None:
    torch.save(tiny_model().network.state_dict(), path)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (Path.unlink, "model.safetensors is missing"),
        (lambda path: path.write_bytes(b""), "damaged model"),
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "damaged model"),
        (lambda path: path.write_bytes(b"\xff" * 100), "damaged model"),
        (as_pickle, "damaged model"),
        (lambda path: (path.unlink(), path.mkdir()), "not a readable file of weights"),
    ],
    ids=["missing", "empty", "cut", "other bytes", "a pickle", "a folder"],
)
def test_damaged_weights_are_refused(damage: Callable[[Path], Any], complaint: str, tmp_path: Path) -> None:
    folder = saved(tiny_model(), tmp_path)
    damage(folder / "model.safetensors")
    assert complaint in refusal(folder)
    if (folder / "model.safetensors").is_file():
        sealed(folder)  # also where the checksum does not reveal it
        assert complaint in refusal(folder)


def test_weights_that_do_not_belong_are_refused(tmp_path: Path) -> None:
    assert "stray" in refusal(saved(tiny_model(), tmp_path, stray=torch.zeros(2)))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"null", b"{}"])
def test_a_damaged_description_is_refused(content: bytes, tmp_path: Path) -> None:
    folder = saved(tiny_model(), tmp_path)
    (folder / "config.json").write_bytes(content)
    refusal(folder)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "no such model (a folder with config.json and model.safetensors)" in refusal(tmp_path / "nowhere")
    assert "no such model" in refusal(tmp_path)


DAMAGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a row too many": lambda array: np.concatenate([array, array[:1]]),
    "a column too few": lambda array: array[..., 1:].copy(),
    "flat": lambda array: array.reshape(-1).copy(),
    "deep": lambda array: array[None].copy(),
    "empty": lambda array: array[:0].copy(),
    "another type": lambda array: array.astype(np.float64),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "lstm", "num_layers": 2, "layer_norm": True, "learned_initial_state": True},
        {"cell": "chung2014-lstm", "covariance": "full"},
        {"covariance": "autoregressive", "autoregressive_order": 24, "companding": True},
    ],
    ids=str,
)
def test_the_compiled_form_refuses_what_the_network_refuses(
    settings: dict[str, Any], damage: str, tmp_path: Path
) -> None:
    """Compiled code reads its arrays without looking at their shapes, so they are looked at before."""
    saved(tiny_model(**settings), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    for name, array in weights.items():
        save_file({**weights, name: DAMAGES[damage](array)}, tmp_path / "model.safetensors")
        sealed(tmp_path)
        outcomes = []
        for form in ("compiled", "network"):
            try:
                getattr(load_model(tmp_path), form)
                outcomes.append("loaded")
            except UserError:
                outcomes.append("refused")
        assert outcomes[0] == outcomes[1], (name, outcomes)


def test_the_compiled_form_refuses_other_layers_than_configured(tmp_path: Path) -> None:
    saved(tiny_model(num_layers=2), tmp_path)
    for change in ({"num_layers": 1}, {"hidden_size": 13}, {"layer_norm": True}):
        folder = changed(tmp_path, lambda content, change=change: content["model"].update(change))
        with pytest.raises(UserError, match="damaged model"):
            _ = load_model(folder).compiled
