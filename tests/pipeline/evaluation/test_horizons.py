"""NLL of steps ahead, for processes with known predictive densities at every horizon."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from numpy.typing import NDArray
from torch import Tensor, nn

from models.distributions.mixture import DiagonalMixture
from models.recurrent.stack import State
from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.data.dataset import SplitRows
from pipeline.errors import UserError
from pipeline.evaluation.horizons import horizon_nats, stretches
from pipeline.evaluation.nll import score
from pipeline.features.normalisation import Normalisation
from pipeline.features.representations import representation_of
from pipeline.model.trained_model import TrainedModel
from pipeline.plots.figure import COLOURS
from pipeline.plots.horizons import horizon_curves
from tests.helpers.builders import join_rows, noise, tiny_model

STD = 0.1
SHAPE = {"starts": 40, "context_steps": 12, "paths": 8, "seed": 0}


class Recursion(nn.Module):
    """x of a step ~ N(a y + b, s^2) in each of its D values, y being the last value before the step.

    Its state is the number of steps so far.
    """

    def __init__(self, slope: float, offset: float, scale: float, hop: int = 1) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor([slope, offset, scale]))
        self.hop = hop

    def initial_state(self, batch_size: int) -> State:
        return (torch.zeros(1, batch_size, 1),)

    def advance(self, inputs: Tensor, state: State) -> State:
        return (state[0] + inputs.shape[1],)

    def step(self, inputs: Tensor, state: State) -> tuple[DiagonalMixture, State]:
        slope, offset, scale = self.values
        mean = (slope * inputs[:, -1:] + offset).expand(-1, self.hop)[:, None]
        return DiagonalMixture(torch.zeros(len(inputs), 1), mean, scale.expand_as(mean)), (state[0] + 1,)


def model_of(network: Any, window: int = 1, hop: int = 1) -> TrainedModel:
    """Samples of standard deviation 1 after normalisation are 3,277 quantisation steps wide."""
    config = WaveformConfig(sample_rate=8_000, window=window, hop=hop)
    return TrainedModel.of(network, config, ModelConfig(), Normalisation((0.0,), (STD,)), {})


def recursion_sound(slope: float, scale: float, count: int, seed: int = 0) -> NDArray[np.int16]:
    random, value, values = np.random.default_rng(seed), 0.0, []
    for drawn in random.standard_normal(count):
        value = slope * value + scale * drawn
        values.append(value)
    return (np.array(values) * STD * 32_768).round().astype(np.int16)[:, None]


def closed_form(
    data: SplitRows, slope: float, scale: float, horizon: int, furthest: int, **shape: int
) -> list[float]:
    """Nats of each target under N(a^h y, s^2 (1 - a^2h) / (1 - a^2)), y the last sample of the context."""
    length = shape["context_steps"] + furthest
    recording, first = stretches(1, data, shape["starts"], length, shape["seed"])
    target = (data.offset[recording] + first).numpy() + length - 1
    samples = data.rows[:, 0].double().numpy() / 32_768 / STD
    variance = scale**2 * (1 - slope ** (2 * horizon)) / (1 - slope**2)
    miss = samples[target] - slope**horizon * samples[target - horizon]
    found: list[float] = (0.5 * (miss**2 / variance + math.log(2 * math.pi * variance))).tolist()
    return found


def test_a_first_order_recursion_has_the_nll_of_its_closed_form() -> None:
    slope, scale, horizons = 0.9, 0.4, [1, 3, 10]
    data = join_rows([recursion_sound(slope, scale, 400, seed) for seed in range(4)])
    shape = {**SHAPE, "starts": 150, "paths": 2_000}
    found = horizon_nats(model_of(Recursion(slope, 0.0, scale)), data, horizons, **shape)
    for horizon in horizons:
        expected = closed_form(data, slope, scale, horizon, 10, **shape)
        assert found[horizon].nats == pytest.approx(np.mean(expected), abs=0.02), horizon
        error = np.std(expected, ddof=1) / math.sqrt(len(expected))
        assert found[horizon].standard_error == pytest.approx(error, rel=0.05)
    assert found[1].nats < found[3].nats < found[10].nats


def test_few_paths_make_the_estimate_too_high() -> None:
    model = model_of(Recursion(0.9, 0.0, 0.4))
    data = join_rows([recursion_sound(0.9, 0.4, 2_000)])
    few, many = (
        horizon_nats(model, data, [10], **{**SHAPE, "starts": 400, "paths": paths}) for paths in (2, 200)
    )
    assert few[10].nats > many[10].nats + 0.3


def test_noise_has_the_same_nll_at_every_horizon() -> None:
    data = join_rows([noise(600, seed, STD * 32_768)[:, None] for seed in range(2)])
    found = horizon_nats(model_of(Recursion(0.0, 0.0, 1.0, hop=5), 20, 5), data, [1, 2, 7], **SHAPE)
    for horizon in (2, 7):
        assert found[horizon].nats == pytest.approx(found[1].nats, abs=1e-5)
        assert found[horizon].standard_error == pytest.approx(found[1].standard_error, abs=1e-5)


class Noting(Recursion):
    """Model that records the inputs of its steps."""

    def __init__(self, slope: float, offset: float, scale: float) -> None:
        super().__init__(slope, offset, scale)
        self.context: list[Tensor] = []

    def step(self, inputs: Tensor, state: State) -> tuple[DiagonalMixture, State]:
        self.context.append(inputs)
        return super().step(inputs, state)


def test_every_path_is_conditioned_on_its_draws_as_integer_samples() -> None:
    """Draws without spread count up by 1.4 quantisation steps each, which are rounded to one step."""
    step = 1 / 32_768 / STD
    network = Noting(1.0, 1.4 * step, 1e-6)
    rows = np.arange(200, dtype=np.int16)[:, None]
    horizon_nats(model_of(network), join_rows([rows]), [6], **{**SHAPE, "starts": 1, "paths": 3})
    integers = torch.cat(network.context, 1) / step
    assert integers.shape == (3, 6)
    torch.testing.assert_close(integers, integers.round(), rtol=0, atol=1e-2)
    assert (integers.diff(dim=1).round() == 1).all()


INPUTS: dict[str, tuple[InputConfig, dict[str, Any]]] = {
    "waveform": (WaveformConfig(sample_rate=8_000), {}),
    "spectrogram": (SpectrogramConfig(kind="spectrogram", n_mels=6), {}),
    "piano-roll": (PianoRollConfig(kind="piano-roll"), {"head": "nade"}),
}
BLOCKS = {"architecture": "encoder-decoder", "decode_steps": 4, "attention_steps": 3, "cell": "lstm"}


def rows_of_kind(config: InputConfig, count: int) -> NDArray[Any]:
    sound = noise(count * representation_of(config).row_width).reshape(count, -1)
    return (sound > 0 if isinstance(config, PianoRollConfig) else sound / 100).astype(
        representation_of(config).row_dtype
    )


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("architecture", [{}, BLOCKS])
def test_one_step_ahead_is_the_ordinary_score(kind: str, architecture: dict[str, Any]) -> None:
    """A recording of one step more than the context leaves one stretch: its last step, scored both ways."""
    config, settings = INPUTS[kind]
    model = tiny_model(config, **settings, **architecture)
    hop = model.framing.hop
    whole = rows_of_kind(config, 13 * hop)
    parts = [join_rows([whole]), join_rows([whole[: 12 * hop]])]
    nats = [score(model.network, data, model.framing, model.normaliser(), False).nats for data in parts]
    found = horizon_nats(model, parts[0], [1], **SHAPE)
    assert found[1].nats == pytest.approx(float(nats[0] - nats[1]), rel=1e-5)
    assert math.isnan(found[1].standard_error)


@pytest.mark.parametrize("settings", [{}, {"architecture": "encoder-decoder", "decode_steps": 4}])
def test_a_seed_repeats_itself_and_another_does_not(settings: dict[str, Any]) -> None:
    model = tiny_model(**settings)
    data = join_rows([noise(900, seed)[:, None] for seed in range(3)])
    first = horizon_nats(model, data, [1, 5], **SHAPE)
    torch.manual_seed(17)
    assert horizon_nats(model, data, [1, 5], **SHAPE) == first
    other = horizon_nats(model, data, [1, 5], **{**SHAPE, "seed": 1})
    assert other[1] != first[1]
    assert other[5] != first[5]


def test_parallel_groups_change_nothing_one_step_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    data = join_rows([noise(900, seed)[:, None] for seed in range(3)])
    together = horizon_nats(model, data, [1], **SHAPE)
    monkeypatch.setattr("pipeline.evaluation.horizons.LANES", 24)
    assert horizon_nats(model, data, [1], **SHAPE)[1].nats == pytest.approx(together[1].nats, rel=1e-6)


def test_stretches_lie_inside_recordings_and_none_comes_twice() -> None:
    data = join_rows([np.zeros((rows, 1), np.int16) for rows in (35, 9, 100, 30)])
    recording, first_step = stretches(10, data, 1_000, 3, 0)
    found = list(zip(recording.tolist(), first_step.tolist(), strict=True))
    assert found == [(0, 0), *((2, step) for step in range(8)), (3, 0)]
    some = stretches(10, data, 4, 3, 0)
    assert len(some[0]) == 4
    assert set(zip(some[0].tolist(), some[1].tolist(), strict=True)) < set(found)


def test_what_cannot_be_scored_is_an_error() -> None:
    data = join_rows([noise(200)[:, None]])
    with pytest.raises(UserError, match="no recording has 92 steps of 10 rows"):
        horizon_nats(tiny_model(), data, [1, 80], **SHAPE)
    blocks = tiny_model(architecture="encoder-decoder", decode_steps=5)
    with pytest.raises(UserError, match="a multiple of 5"):
        horizon_nats(blocks, data, [1], **SHAPE)


def test_the_picture_has_a_line_for_each_model_over_the_logarithm_of_the_horizon(tmp_path: Path) -> None:
    """Nats that rise by the same amount with every tenfold distance lie on a straight line."""
    models = {
        name: {
            str(h): {"nats_per_step": level + math.log10(h), "of_targets": [level, level]}
            for h in (1, 10, 100)
        }
        for name, level in (("low", 0.0), ("high $1", 5.0))
    }
    horizon_curves(tmp_path / "picture.png", models)
    picture = (imread(tmp_path / "picture.png")[:, :, :3] * 255).round()
    lines = [np.nonzero((picture == np.round(np.multiply(to_rgb(c), 255))).all(2)) for c in COLOURS[:2]]
    for rows, columns in lines:
        right = columns > 0.3 * picture.shape[1]  # of the legend
        rows, columns = rows[right], columns[right]
        straight = np.polyval(np.polyfit(columns, rows, 1), columns)
        assert np.abs(rows - straight).max() < 8
        assert rows[columns.argmax()] < rows[columns.argmin()] - 50
    assert np.median(lines[1][0]) < np.median(lines[0][0])
