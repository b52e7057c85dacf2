"""Figures of a model are in the units of the data set that it is scored on, steps ahead as well."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.config.inputs import WaveformConfig
from pipeline.config.run import EvaluateConfig
from pipeline.data.dataset import Dataset, split_rows
from pipeline.evaluation.evaluate import HORIZON_PATHS, HORIZON_STARTS, evaluate, validation_nats
from pipeline.evaluation.horizons import horizon_nats
from pipeline.features.normalisation import Normalisation
from pipeline.model.build import build_network
from pipeline.model.storage import save_model
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import dataset_of, tiny_model, tone

CONFIG = WaveformConfig(sample_rate=8_000)
HORIZONS = [1, 3]
SIZE = 10
"""Values of a step."""


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    sounds = [tone(330 + 7 * seed, seed) for seed in range(5)]
    return dataset_of(
        tmp_path / "data", {"train": sounds[:2], "valid": sounds[2:3], "test": sounds[3:]}, CONFIG
    )


def model_for(dataset: Dataset, **model: Any) -> TrainedModel:
    """An untrained model with the data set's own deviation; its mean is 0, so that padding means silence."""
    normalisation = Normalisation((0.0,), dataset.normalisation.std)
    found = tiny_model(CONFIG, scale_floor=1.0, **model)
    network = build_network(CONFIG, found.model, normalisation).eval()
    return TrainedModel.of(network, CONFIG, found.model, normalisation, {})


def normalised_otherwise(model: TrainedModel, factor: float) -> TrainedModel:
    """The same function of the recordings, from values that are smaller by ``factor``."""
    weights = {name: value.clone() for name, value in model.network.state_dict().items()}
    weights["recurrent.layers.0.weight_ih_l0"] *= factor
    sizes = model.network.head.sizes
    for name in ("head.projection.weight", "head.projection.bias"):
        weights[name].split(sizes)[1].div_(factor)
    weights["head.projection.bias"].split(sizes)[2].sub_(math.log(factor))
    normalisation = Normalisation((0.0,), (model.normalisation.std[0] * factor,))
    network = build_network(CONFIG, model.model, normalisation).eval()
    network.load_state_dict(weights)
    return TrainedModel.of(network, CONFIG, model.model, normalisation, {})


def figures(folder: Path, model: TrainedModel, dataset: Dataset, **config: Any) -> dict[str, Any]:
    save_model(folder, model.network.state_dict(), model.input, model.model, model.normalisation, {})
    return evaluate(folder, dataset.path, EvaluateConfig(linear_order=4, **config), "cpu")


def steps_ahead(model: TrainedModel, dataset: Dataset, context_steps: int) -> dict[int, list[float]]:
    """Nats of each target in the model's own units, their mean first."""
    data = split_rows(dataset, "test", torch.device("cpu"))
    shape = (HORIZON_STARTS, context_steps, HORIZON_PATHS, 0)
    found = horizon_nats(model, data, HORIZONS, *shape)
    return {steps: [each.nats, *each.of_targets] for steps, each in found.items()}


def in_table(found: dict[str, Any]) -> dict[int, list[float]]:
    table = found["horizons"]
    return {int(name): [each["nats_per_step"], *each["of_targets"]] for name, each in table.items()}


def agree(found: dict[int, list[float]], expected: dict[int, list[float]]) -> None:
    """Up to the rounding of the table."""
    assert list(found) == list(expected)
    for steps, nats in expected.items():
        assert found[steps] == pytest.approx(nats, abs=1e-3)


def test_steps_ahead_are_in_the_table_and_without_any_it_is_empty(tmp_path: Path, dataset: Dataset) -> None:
    model = model_for(dataset)
    found = figures(tmp_path / "model", model, dataset, horizons=HORIZONS, context_steps=8)
    assert list(found["horizons"]) == ["1", "3"]
    agree(in_table(found), steps_ahead(model, dataset, 8))
    without = figures(tmp_path / "model", model, dataset)
    assert without["horizons"] == {}
    assert {**found, "horizons": {}} == without


def test_a_models_own_normalisation_changes_no_figure(tmp_path: Path, dataset: Dataset) -> None:
    model = model_for(dataset)
    own, other = (
        figures(tmp_path / str(factor), each, dataset, horizons=HORIZONS, context_steps=8)
        for factor, each in ((1, model), (4, normalised_otherwise(model, 4.0)))
    )
    assert other["model"] == pytest.approx(own["model"], rel=1e-4)
    for steps in HORIZONS:
        assert in_table(other)[steps] == pytest.approx(in_table(own)[steps], rel=1e-3, abs=2e-3)
    found = [validation_nats(tmp_path / name, dataset.path, "cpu") for name in ("1", "4")]
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_figures_are_in_the_data_sets_units(tmp_path: Path, dataset: Dataset) -> None:
    """A density in values four times as small is four times as large, for each of a step's values."""
    other = normalised_otherwise(model_for(dataset), 4.0)
    found = figures(tmp_path / "model", other, dataset, horizons=HORIZONS, context_steps=8)
    expected = steps_ahead(other, dataset, 8)
    agree(in_table(found), {h: [x + SIZE * math.log(4) for x in nats] for h, nats in expected.items()})


def test_the_context_is_rounded_up_to_whole_blocks_of_an_encoder_decoder(
    tmp_path: Path, dataset: Dataset
) -> None:
    model = model_for(dataset, architecture="encoder-decoder", decode_steps=4)
    rounded, whole, longer = (
        in_table(figures(tmp_path / "model", model, dataset, horizons=HORIZONS, context_steps=steps))
        for steps in (9, 12, 16)
    )
    assert rounded == whole
    agree(whole, steps_ahead(model, dataset, 12))
    assert rounded != longer
    plain = model_for(dataset)
    found = figures(tmp_path / "plain", plain, dataset, horizons=HORIZONS, context_steps=9)
    agree(in_table(found), steps_ahead(plain, dataset, 9))


def test_the_figures_of_the_recordings_average_to_that_of_the_split(tmp_path: Path, dataset: Dataset) -> None:
    found = figures(tmp_path / "model", model_for(dataset), dataset)
    values = [row["values"] for row in found["of_recordings"]]
    assert len(values) == found["recordings"]
    assert {row["group"] for row in found["of_recordings"]} <= set(dataset.group)
    for figure, expected in found["model"].items():
        mean = np.average([row[figure] for row in found["of_recordings"]], weights=values)
        assert mean == pytest.approx(expected, rel=1e-6), figure
