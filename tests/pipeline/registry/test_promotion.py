"""The champion changes hands only for a better model, and the loser stays registered."""

from pathlib import Path

import pytest

from pipeline.config.loading import load_config
from pipeline.config.run import RunConfig
from pipeline.evaluation.evaluate import validation_nats
from pipeline.registry.promotion import promote
from pipeline.registry.registration import champion, list_models
from pipeline.stages import prepare_stage, start_stage
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.loop import train
from tests.helpers.sounds import write_noisy_tones

SMALL = ["model.hidden_size=16", "model.mixture_components=2", "train.batch_size=4", "train.device=cpu"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_noisy_tones(tmp_path / "tones", count=10, seconds=0.4, sample_rate=8000)


def config_for(corpus: Path, *settings: str) -> RunConfig:
    data = [f"corpus.inputs=[{corpus}]", "corpus.group=recording", "input.sample_rate=8000"]
    return load_config(None, [*data, *SMALL, *settings])


def trained(config: RunConfig, variant: str = "") -> RunFolder:
    run = RunFolder(start_stage(config, prepare_stage(config), variant))
    train(run)
    return run


def test_only_a_better_model_becomes_champion(corpus: Path) -> None:
    short, long = (config_for(corpus, f"train.epochs={epochs}") for epochs in (1, 6))
    weak, strong = trained(short), trained(long)
    first = promote([weak], short)
    assert first["promoted"]
    second = promote([strong], long)
    assert second["promoted"], second["why"]
    assert second["version"] != first["version"]
    third = promote([weak], short)
    assert not third["promoted"]
    assert third["version"] == first["version"]
    held = champion("wavecast")
    assert held is not None
    assert held["version"] == second["version"]
    assert {found["version"] for found in list_models()} == {first["version"], second["version"]}


def test_the_best_of_several_variants_is_promoted_and_each_has_its_alias(corpus: Path) -> None:
    config = config_for(
        corpus, "variants={short: {train.epochs: 1}, long: {train.epochs: 6}, wide: {model.hidden_size: 17}}"
    )
    runs = [trained(config, variant) for variant in ("short", "long")]
    result = promote(runs, config)
    aliases = {alias: found["version"] for found in list_models() for alias in found["aliases"]}
    assert aliases == {"short": 1, "long": 2, "champion": 2}
    assert result["run"] == str(runs[1].path)


def test_a_model_of_longer_steps_is_compared_by_the_value(corpus: Path) -> None:
    """Nats of a step of 20 samples are twice those of 10 where both predict a sample equally well."""
    config = config_for(
        corpus, "train.epochs=1", "variants={plain: {}, strided: {model.convolutions: [[4, 2, 2]]}}"
    )
    runs = [trained(config, variant) for variant in ("plain", "strided")]
    nats = runs[0].status()["summary"]["valid_nats_per_step"]
    assert nats > 0
    for factor, best in ((1.9, runs[1]), (2.1, runs[0])):
        runs[1].set_status("finished", summary={"valid_nats_per_step": factor * nats})
        assert promote(runs, config)["run"] == str(best.path)


def test_a_champion_of_another_sample_rate_is_replaced_with_the_reason(corpus: Path) -> None:
    other = config_for(corpus, "input.sample_rate=16000", "train.epochs=1")
    promote([trained(other)], other)
    config = config_for(corpus, "train.epochs=1")
    result = promote([trained(config)], config)
    assert result["promoted"]
    assert "cannot be compared" in result["why"]


def test_models_are_compared_in_the_data_sets_units_whatever_they_were_normalised_by(corpus: Path) -> None:
    """The same weights, with inputs and outputs rescaled by hand, are the same model and score the same."""
    import torch
    from safetensors.torch import load_file, save_file

    from pipeline.common.files import read_json, write_json
    from pipeline.common.hashing import checksum

    run = trained(config_for(corpus, "train.epochs=1"))
    before = validation_nats(run.model, run.dataset)
    weights = load_file(run.model / "model.safetensors")
    settings = read_json(run.model / "config.json", "model")
    k, d = settings["model"]["mixture_components"], settings["input"]["hop"]
    settings["normalisation"]["std"] = [2 * x for x in settings["normalisation"]["std"]]
    weights["recurrent.layers.0.weight_ih_l0"] *= 2  # inputs are half as large
    rows = slice(k, k + k * d)
    weights["head.projection.weight"][rows] /= 2
    weights["head.projection.bias"][rows] /= 2
    weights["head.projection.bias"][k + k * d :] -= torch.log(torch.tensor(2.0))
    save_file(weights, run.model / "model.safetensors")
    settings["weights"] = checksum((run.model / "model.safetensors").read_bytes())
    write_json(run.model / "config.json", settings)
    assert validation_nats(run.model, run.dataset) == pytest.approx(before, abs=1e-4)
