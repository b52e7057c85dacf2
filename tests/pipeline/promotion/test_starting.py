"""The model that a training starts from: the champion where it fits, else new weights with the reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.inputs import WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.config.run import RunConfig
from pipeline.config.training import TrainConfig
from pipeline.errors import UserError
from pipeline.model.storage import load_model
from pipeline.promotion.starting import choose_start, difference
from pipeline.registry.champions import move_champion
from pipeline.registry.registration import register
from pipeline.tracking.run_folder import RunFolder, start_run
from tests.helpers.tracked_runs import add_model, new_run


def config_of(**model: Any) -> RunConfig:
    return RunConfig(
        name="nights",
        input=WaveformConfig(sample_rate=2_000),
        model=ModelConfig(**{"hidden_size": 4, "mixture_components": 2, **model}),
        train=TrainConfig(start_from="champion"),
    )


def next_run(config: RunConfig, fingerprint: str = "new") -> RunFolder:
    run = start_run(config, Path("dataset.json"), fingerprint)
    choose_start(run)
    return run


def reason(run: RunFolder) -> Any:
    return json.loads((run.path / "start.json").read_text())["anew_because"]


@pytest.fixture
def champion(local_store: Path) -> RunFolder:
    run = new_run("nights")
    add_model(run)
    move_champion("wavecast-nights", register(run, "wavecast-nights"))
    return run


def test_the_champion_is_copied_where_it_fits_and_else_the_difference_is_named(champion: RunFolder) -> None:
    run = next_run(config_of(dropout=0.1))
    assert reason(run) is None
    for name in ("config.json", "model.safetensors"):
        assert (run.start / name).read_bytes() == (champion.model / name).read_bytes()
    run = next_run(config_of(hidden_size=5))
    assert reason(run) == "model.hidden_size is 5 here and 4 in that model"
    assert not run.start.exists()


def test_without_a_champion_training_starts_anew_and_the_choice_stays(local_store: Path) -> None:
    run = next_run(config_of())
    assert reason(run) == "there is no champion yet"
    trained = new_run("nights")
    add_model(trained)
    move_champion("wavecast-nights", register(trained, "wavecast-nights"))
    assert reason(next_run(config_of())) == "there is no champion yet"
    assert reason(next_run(config_of(), "more recordings")) is None


def test_a_model_that_does_not_exist_is_an_error(local_store: Path) -> None:
    config = config_of().model_copy(update={"train": TrainConfig(start_from="no-such-model")})
    with pytest.raises(UserError, match="no-such-model"):
        next_run(config)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"cell": "lstm"}, "model.cell is lstm here and gru"),
        ({"scale_floor": 0.2}, "model.scale_floor"),
        ({"parameter_budget": 500}, "model.parameter_budget"),
    ],
)
def test_every_setting_that_changes_weights_or_likelihoods_counts(other: dict[str, Any], words: str) -> None:
    run = new_run("nights")
    add_model(run)
    assert words in difference(load_model(run.model), config_of(**other))
