"""Temporal sensitivity is limited to the window, the convolutions and the recurrence."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from numpy.typing import NDArray

from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.evaluation.temporal_sensitivity import MAX_LAG_STEPS, measure_temporal_sensitivity
from pipeline.features.representations import representation_of
from pipeline.model.trained_model import TrainedModel
from pipeline.plots.temporal_sensitivity import plot_temporal_sensitivity
from tests.helpers.builders import adaptive_model, dataset_of, tiny_model, tone

SOUND = WaveformConfig(sample_rate=8_000)
FRAMES = SpectrogramConfig(kind="spectrogram", sample_rate=8_000, n_mels=4, window_length=200, hop_length=80)
NOTES = PianoRollConfig(kind="piano-roll")
KINDS: list[tuple[InputConfig, dict[str, Any]]] = [
    (SOUND, {}),
    (SOUND, {"covariance": "autoregressive"}),
    (FRAMES, {"covariance": "full"}),
    (NOTES, {"head": "bernoulli"}),
    (NOTES, {"head": "nade", "nade_hidden": 7}),
]


def recording(config: InputConfig, steps: float, seed: int) -> NDArray[Any]:
    """Rows (N, width) that fill so many steps of a model without convolutions."""
    if isinstance(config, WaveformConfig):
        return tone(round(steps * config.hop), seed)[:, None]
    rows = np.random.default_rng(seed).random((max(1, round(steps)), representation_of(config).row_width))
    return (rows < 0.1).astype(np.uint8) if isinstance(config, PianoRollConfig) else rows


def reach(folder: Path, model: TrainedModel, steps: list[float]) -> list[float]:
    recordings = [recording(model.input, count, seed) for seed, count in enumerate(steps)]
    train = [recording(model.input, 9, 99)]
    dataset = dataset_of(folder, {"train": train, "valid": train, "test": recordings}, model.input)
    return measure_temporal_sensitivity(model, dataset, "test")


@pytest.mark.parametrize(("config", "model"), KINDS, ids=str)
@pytest.mark.parametrize(
    ("steps", "values"),
    [
        ([30, 0.4, 21, 40, 1], 21),  # as far as the median of the longest recordings
        ([1], 1),
        ([0.4, 3, 0.3], 1),
    ],
    ids=str,
)
def test_a_curve_is_finite_whatever_the_recordings_lengths(
    config: InputConfig, model: dict[str, Any], steps: list[float], values: int, tmp_path: Path
) -> None:
    curve = reach(tmp_path, tiny_model(config, **model), steps)
    assert len(curve) == values
    assert all(math.isfinite(x) and x >= 0 for x in curve)
    assert curve[0] > 0


def test_of_a_network_on_adaptive_predictions_only_what_it_reads_counts(tmp_path: Path) -> None:
    """Beside it, the errors and scales of the step's own samples change the likelihood far more."""
    assert 0 < max(reach(tmp_path, adaptive_model(SOUND), [30])) < 10


def test_a_curve_ends_at_the_furthest_distance(tmp_path: Path) -> None:
    curve = reach(tmp_path, tiny_model(SOUND, hidden_size=4), [400, 210])
    assert len(curve) == MAX_LAG_STEPS + 1
    assert np.isfinite(curve).all()


def test_recordings_that_are_all_shorter_than_a_step_have_a_curve_too(tmp_path: Path) -> None:
    curve = reach(tmp_path, tiny_model(SOUND), [0.5, 0.8])
    assert len(curve) == 1
    assert all(math.isfinite(x) and x >= 0 for x in curve)


def without_recurrence(**model: Any) -> TrainedModel:
    """A model whose recurrent matrices are zero: what is in the state is read by nothing."""
    found = tiny_model(SOUND, cell="tanh", **model)
    with torch.no_grad():
        for name, weight in found.network.named_parameters():
            if "weight_hh" in name:
                weight.zero_()
    return found


@pytest.mark.parametrize(
    ("model", "carried_by"),
    [
        ({}, 0),
        ({"covariance": "autoregressive", "autoregressive_order": 40}, 0),
        ({"num_layers": 3}, 0),
        ({"convolutions": [[6, 4, 1]]}, 3),
        ({"convolutions": [[6, 4, 1], [5, 3, 1]]}, 5),
    ],
    ids=str,
)
def test_without_recurrence_the_gradient_ends_at_the_layers_receptive_field(
    model: dict[str, Any], carried_by: int, tmp_path: Path
) -> None:
    """Distances are in steps, and a step's window is at distance 0."""
    curve = reach(tmp_path, without_recurrence(**model), [25, 25])
    assert len(curve) == 25
    assert all(x > 0 for x in curve[: carried_by + 1])
    assert not any(curve[carried_by + 1 :])


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm", "chung2014-gru"])
def test_recurrence_has_a_gradient_at_the_beginning(cell: str, tmp_path: Path) -> None:
    curve = reach(tmp_path, tiny_model(SOUND, cell=cell), [25, 25])
    assert all(x > 0 for x in curve)
    assert curve[-1] < curve[0]


def test_measuring_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = tiny_model(SOUND)
    reach(tmp_path, model, [12])
    assert not model.network.training
    assert all(weight.grad is None and weight.requires_grad for weight in model.network.parameters())


@pytest.mark.filterwarnings("error")
def test_curves_are_drawn_side_by_side_even_where_they_are_zero_or_a_single_point(tmp_path: Path) -> None:
    curves = {
        "gru": [4.0, 1.0, 0.3, 0.01],
        "tanh": [2.0, 0.1, 0.0, 0.0],
        "short": [1.0],
        "silent": [0.0, 0.0],
    }
    path = tmp_path / "pictures" / "temporal_sensitivity.png"
    plot_temporal_sensitivity(path, curves, 0.00125)
    picture = imread(path)
    assert picture.shape[:2] == (560, 1200)
    assert picture[:, :, :3].std() > 0.01
    assert [each.name for each in path.parent.iterdir()] == ["temporal_sensitivity.png"]
