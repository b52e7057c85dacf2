"""An exported step equals torch's, for every cell and head, any batch size, over many steps."""

import hashlib
import inspect
import json
import math
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.onnx_step import ExplicitStep
from models.predictor import Predictor
from models.recurrent.cells import CELLS
from pipeline.cli.commands.models.export import export as export_verb
from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.errors import UserError
from pipeline.export import onnx_step as export
from pipeline.export.onnx_check import Agreement
from pipeline.export.onnx_step import export_step
from pipeline.model.storage import load_model, save_model
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import tiny_model

NOTES = PianoRollConfig(kind="piano-roll")
FRAMES = SpectrogramConfig(kind="spectrogram", n_mels=10)
WAVE = WaveformConfig(sample_rate=8_000)
DEEP: dict[str, Any] = {"num_layers": 2, "layer_norm": True, "residual": True, "learned_initial_state": True}
CASES: dict[str, tuple[InputConfig, dict[str, Any]]] = {
    **{cell: (WAVE, {"cell": cell}) for cell in CELLS},
    **{f"deep {cell}": (WAVE, {"cell": cell, **DEEP}) for cell in CELLS},
    "full": (WAVE, {"covariance": "full"}),
    "full covariance of one": (WaveformConfig(window=4, hop=1), {"covariance": "full"}),
    "autoregressive": (WAVE, {"covariance": "autoregressive", "autoregressive_order": 4}),
    "looks further back": (WAVE, {"covariance": "autoregressive", "companding": True}),
    "convolutions": (WAVE, {"convolutions": [[6, 4, 2], [5, 3, 2]]}),
    "convolutions that remember nothing": (WAVE, {"convolutions": [[6, 2, 2], [4, 1, 2]], "cell": "lstm"}),
    "frames": (FRAMES, {}),
    "convolutions of frames": (FRAMES, {"convolutions": [[6, 3, 1], [5, 2, 2]]}),
    "bernoulli": (NOTES, {"head": "bernoulli"}),
    "nade": (NOTES, {"head": "nade", "nade_hidden": 7}),
}
each_case = pytest.mark.parametrize("case", CASES)


def model_of(case: str) -> TrainedModel:
    """Trained parts that begin at zero are moved from there."""
    config, settings = CASES[case]
    model = tiny_model(config, **settings)
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.add_(0.1 * torch.randn(weight.shape))
    return model


def predictor_of(model: TrainedModel) -> Predictor:
    assert isinstance(model.network, Predictor)
    return model.network


@each_case
def test_the_step_written_out_is_the_predictors(case: str) -> None:
    model = model_of(case)
    predictor = predictor_of(model).double()
    step = ExplicitStep(predictor)
    state, own = predictor.initial_state(3), step.initial_state(3)
    for number in range(5):
        inputs = torch.randn(3, model.framing.input_size, dtype=torch.float64)
        distribution, state = predictor.step(inputs, state)
        found = step(inputs, *own)
        own = found[len(step.parameter_names) :]
        parameters = dict(zip(step.parameter_names, found, strict=False))
        expected = {name: value for name, value in vars(distribution).items() if name in parameters}
        torch.testing.assert_close(parameters, expected, rtol=1e-10, atol=1e-10, msg=f"step {number}")
        torch.testing.assert_close(own, tuple(part for part in state if len(part)), rtol=1e-10, atol=1e-10)
    left_out = set(vars(distribution)) - set(parameters)
    assert all(name == "history" or vars(distribution)[name].numel() == 0 for name in left_out)


@pytest.mark.thinned(5)
@each_case
def test_a_file_agrees_with_torch_for_any_batch(case: str, tmp_path: Path) -> None:
    onnxruntime = runtime()
    model = model_of(case)
    agreement = export_step(model, tmp_path / "step.onnx", 200)
    assert max(each.relative for each in agreement.values()) < 1e-5
    assert [path.name for path in tmp_path.iterdir()] == ["step.onnx"], "one file, and nothing beside it"
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx")
    facts = session.get_modelmeta().custom_metadata_map
    step = ExplicitStep(predictor_of(model))
    for batch in (1, 5):
        inputs = torch.randn(batch, model.framing.input_size)
        state = {
            name: np.repeat(np.array(value, np.float32), batch, 1)
            for name, value in json.loads(facts["initial_state"]).items()
        }
        found = session.run(None, {"inputs": inputs.numpy(), **state})
        with torch.inference_mode():
            expected = [part.numpy() for part in step(inputs, *step.initial_state(batch))]
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_example_draws_what_torch_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime = runtime()
    model = model_of("lstm")
    monkeypatch.chdir(tmp_path)
    export_step(model, Path("step.onnx"), 10)
    _, _, rest = inspect.getdoc(export_step).partition("for diagonal covariance:\n")  # type: ignore[union-attr]
    example = textwrap.dedent(rest.partition("\nArgs:")[0])
    steps = 60
    names = {"onnxruntime": onnxruntime, "np": np, "json": json, "steps": steps}
    names["random"] = np.random.default_rng(3)
    exec(example, names)
    np.testing.assert_array_equal(names["sound"], drawn_by_torch(model, steps))
    assert len(np.unique(names["sound"])) > steps, "it is no silence"


def drawn_by_torch(model: TrainedModel, steps: int) -> np.ndarray:
    """Samples (steps, hop) from silence, with the random numbers that the example takes."""
    random, frames, normaliser = np.random.default_rng(3), model.framing, model.normaliser()
    state, context, sound = model.network.initial_state(1), torch.zeros(1, frames.window), []
    with torch.inference_mode():
        for _ in range(steps):
            distribution, state = model.network.step(context, state)
            uniform = torch.tensor([random.random()])
            noise = torch.tensor(random.standard_normal(frames.hop))[None]
            rows = normaliser.restore(distribution.draw(uniform, noise, max_scale=1.0)[..., None])
            context = torch.cat([context, normaliser.normalise(rows)[..., 0]], 1)[:, -frames.window :].float()
            sound.append(rows.flatten().numpy())
    return np.array(sound)


def test_the_metadata_are_the_models(tmp_path: Path) -> None:
    onnxruntime = runtime()
    kept = model_of("looks further back")
    network = predictor_of(kept)
    save_model(
        tmp_path / "model", network.state_dict(), kept.input, kept.model, kept.normalisation, kept.trained
    )
    model = load_model(tmp_path / "model")
    export_step(model, tmp_path / "step.onnx", 10)
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx")
    facts = session.get_modelmeta().custom_metadata_map
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert facts["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    numbers = {name: json.loads(facts[name]) for name in ("sample_rate", "window", "hop", "width", "unit")}
    assert numbers == {"sample_rate": 8_000, "window": 32, "hop": 10, "width": 1, "unit": 1 / 32_768}
    assert tuple(json.loads(facts["mean"])) == model.normalisation.mean
    assert tuple(json.loads(facts["std"])) == model.normalisation.std
    assert json.loads(facts["scale_floor"]) == predictor_of(model).head.scale_floor
    assert facts["distribution"] == "autoregressive"
    assert {each.name for each in session.get_inputs()} == {"inputs", "hidden"}


def test_what_differs_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the file is of a model whose weights are then changed by a part in a thousand."""
    runtime()
    model = model_of("gru")
    write = export.write_step

    def write_and_change(*arguments: Any) -> None:
        write(*arguments)
        with torch.no_grad():
            for weight in model.network.parameters():
                weight.mul_(1.001)

    monkeypatch.setattr(export, "write_step", write_and_change)
    with pytest.raises(UserError, match="not written, since in 50 steps"):
        export_step(model, tmp_path / "step.onnx", 50)
    assert not list(tmp_path.iterdir())


def test_no_number_counts_as_infinitely_far() -> None:
    agreement = Agreement()
    agreement.note(np.array([1.0, np.nan]), np.array([1.0, 2.0]))
    agreement.note(np.array([1.0]), np.array([1.0]))
    assert agreement.relative == math.inf


def test_what_cannot_be_exported_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model(architecture="encoder-decoder", decode_steps=3)
    with pytest.raises(UserError, match="export a predictor"):
        export_step(model, tmp_path / "step.onnx")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [])
    for name in ("onnx", "onnxruntime"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(UserError, match=r"pip install 'wavecast\[export\]'"):
        export_step(model_of("gru"), tmp_path / "step.onnx")
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runtime()
    kept = model_of("gru")
    folder, target = tmp_path / "model", tmp_path / "out" / "step.onnx"
    weights = predictor_of(kept).state_dict()
    save_model(folder, weights, kept.input, kept.model, kept.normalisation, kept.trained)
    export_verb(output=target, model=str(folder), check=20, json=True)
    message = json.loads(capsys.readouterr().out)
    assert message["bytes"] == target.stat().st_size
    assert message["checked_steps"] == 20
    assert set(message["agreement"]) == {"logits", "mean", "scale", "next_hidden"}
    before = target.read_bytes()
    with pytest.raises(UserError, match="--overwrite"):
        export_verb(output=target, model=str(folder), check=20)
    export_verb(output=target, model=str(folder), check=20, overwrite=True)
    assert target.read_bytes() == before, "the same model gives the same file"
    assert "20 steps" in capsys.readouterr().out
    with pytest.raises(UserError, match="at least 1 step"):
        export_verb(output=tmp_path / "other.onnx", model=str(folder), check=0)
    with pytest.raises(UserError, match="is a folder"):
        export_verb(output=tmp_path, model=str(folder), overwrite=True)


def runtime() -> Any:
    """onnxruntime; without it and onnx the test is skipped."""
    pytest.importorskip("onnx", reason="not installed: pip install 'wavecast[export]'")
    return pytest.importorskip("onnxruntime", reason="not installed: pip install 'wavecast[export]'")


def test_a_cell_without_a_step_is_rejected_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CELLS, "bare", replace(CELLS["mingru"], name="bare", step=None))
    monkeypatch.setattr(export, "write_step", lambda *_: pytest.fail("nothing is to be written"))
    with pytest.raises(UserError, match="the cell bare has no ONNX step, so it cannot be exported"):
        export_step(tiny_model(cell="bare"), tmp_path / "step.onnx")
    assert not any(tmp_path.iterdir())
