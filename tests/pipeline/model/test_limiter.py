"""Free-running sound stays as loud as what was trained on, however the model behaves."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.generation.generate import continue_samples
from pipeline.generation.options import SamplingOptions
from pipeline.model.limiter import MOMENT_S, RmsLimiter, loudest_level
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import dataset_of, noise, tiny_model, tone

RATE = 8_000
MOMENT = round(MOMENT_S * RATE)


def loudest_moment(samples: np.ndarray) -> float:
    """The largest root mean square of any stretch of a moment's length."""
    power = np.convolve(samples.astype(float) ** 2, np.ones(MOMENT) / MOMENT, "valid")
    return float(np.sqrt(power.max()))


def model_that_runs_away(limit: float | None, growth: float) -> TrainedModel:
    """Each sample is expected at ``growth`` times the one before it."""
    model = tiny_model(covariance="autoregressive", autoregressive_order=1, mixture_components=1)
    with torch.no_grad():
        model.network.head.projection.weight.zero_()
    model.network.head.start_at(torch.tensor([growth]), residual_std=0.3)
    facts = {} if limit is None else {"loudest_level": limit}
    return TrainedModel.of(model.network, model.input, model.model, model.normalisation, facts)


def test_the_loudest_level_is_that_of_the_loudest_moment(tmp_path: Path) -> None:
    recordings = [tone(4_000, seed) for seed in range(5)] + [noise(3_000, 7, 6_000.0)]
    dataset = dataset_of(tmp_path, {"train": recordings, "valid": [noise(3_000, 8, 20_000.0)]})
    loudest = max(loudest_moment(samples) for samples in recordings) / 32_768 / dataset.normalisation.std[0]
    assert 0.8 * loudest < loudest_level(dataset) <= loudest * 1.2  # moments are drawn, ends are short


@pytest.mark.parametrize("growth", [0.99, 1.0, 1.5, 3.0])
def test_a_model_that_runs_away_stays_within_the_limit(growth: float) -> None:
    context = tone(400)
    limit = 2.0
    std = tiny_model().normalisation.std[0] * 32_768
    takes = continue_samples(model_that_runs_away(limit, growth), context, 4.0)
    (guarded,) = takes.added
    assert loudest_moment(guarded - guarded.mean()) < 1.7 * limit * std
    assert guarded[-RATE:].std() > 0


def test_what_is_quiet_is_left_alone() -> None:
    calm = model_that_runs_away(100.0, 0.5)
    without = model_that_runs_away(None, 0.5)
    both = [continue_samples(model, tone(400), 0.5, SamplingOptions(seed=3)) for model in (calm, without)]
    assert np.array_equal(*(takes.added for takes in both))


@pytest.mark.parametrize("loudness", [3.0, 50.0, 1e6])
def test_the_running_level_never_passes_the_limit(loudness: float) -> None:
    limiter = RmsLimiter.of(2.0, 10, RATE)
    generator = torch.Generator().manual_seed(0)
    power, acted, blocks = torch.zeros(2, dtype=torch.float64), 0, []
    for _ in range(500):  # one take is loud, the other quiet
        values = torch.tensor([[loudness], [0.01]]) * torch.randn(2, 10, generator=generator)
        guarded, power, gain_reduced = limiter(values, power)
        blocks.append(guarded[0])
        acted += int(gain_reduced[0])
        assert torch.equal(guarded[1], values[1])
        assert not gain_reduced[1]
        assert power[0] <= 2.0**2 * (1 + 1e-9)
    assert acted > 400
    sound = torch.cat(blocks).numpy()
    assert float(np.sqrt(np.mean(sound[-4_000:] ** 2))) == pytest.approx(2.0, rel=0.05)
    for _ in range(500):
        values, power, _ = limiter(torch.full((2, 10), 0.01), power)
    assert torch.equal(values, torch.full((2, 10), 0.01))
