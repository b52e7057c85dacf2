"""What is trained on: a density, or the exact probability of the integers, in one and the same unit."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.heads import MixtureHead
from pipeline.config.inputs import PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.config.loading import load_config
from pipeline.data.batching import Batch, batches, whole_plan
from pipeline.data.dataset import SplitRows, open_dataset, split_rows
from pipeline.evaluation.nll import score
from pipeline.model.likelihood import log_likelihood
from pipeline.model.storage import load_model
from pipeline.model.trained_model import TrainedModel
from pipeline.stages import prepare_stage
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.training.loop import train
from tests.helpers.builders import join_rows, noise, tiny_model, tone
from tests.helpers.sounds import write_noisy_tones

ROWS = [133, 40, 9, 1]
"""Rows of recordings: whole steps and partial ones, one shorter than a step."""
WAVEFORM = WaveformConfig(sample_rate=8_000)
COVARIANCES = ("diagonal", "full", "autoregressive")


def sound_model(covariance: str, **model: Any) -> TrainedModel:
    return tiny_model(WAVEFORM, covariance=covariance, autoregressive_order=13, **model)


def sounds(std: float = 2_000.0) -> list[NDArray[np.int16]]:
    found = [noise(count, seed, std)[:, None] for seed, count in enumerate(ROWS)]
    found[0][0] |= 1  # all bits are used, in the next recording only eight
    found[1] &= -256
    return found


def only_batch(model: TrainedModel, data: SplitRows) -> Batch:
    """All recordings whole, side by side, so that most lanes have masked values and empty steps."""
    steps = np.array([model.framing.steps(int(rows)) for rows in data.length])
    plan = whole_plan(steps, len(steps), int(steps.max()))
    (batch,) = batches(plan, data, model.framing, model.normaliser())
    return batch


def log_width(model: TrainedModel) -> float:
    """Natural log of a quantisation step in normalised values."""
    return math.log(1 / 32_768 / model.normalisation.std[0])


@pytest.mark.parametrize("covariance", COVARIANCES)
@torch.no_grad()
def test_a_steps_discrete_nats_are_its_exact_probability_over_quantisation_steps(covariance: str) -> None:
    model = sound_model(covariance)
    data = join_rows(sounds())
    batch, normaliser = only_batch(model, data), model.normaliser()
    assert batch.mask is not None
    distribution, _ = model.network(batch.inputs, model.network.initial_state(len(ROWS)))
    found = log_likelihood(distribution, batch, normaliser, discrete=True)
    distances = data.distances[batch.recording][:, None, None]
    assert sorted(distances.flatten().tolist())[-1] >= 256
    intervals = normaliser.interval(batch.stored, distances)
    exact = distribution.interval_log_prob(batch.targets, *intervals, batch.mask)
    values = batch.mask.sum(-1)
    assert found.shape == values.shape
    torch.testing.assert_close(found.double(), exact - values * log_width(model), rtol=1e-4, atol=2e-3)
    assert found[values == 0].abs().max() < 1e-5


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("std", [2_000.0, 0.4], ids=["loud", "nearly silent"])
def test_discrete_scores_are_the_code_length_in_nats_of_normalised_values(
    covariance: str, std: float
) -> None:
    """With near silence and scales below a quantisation step, the density is not the probability."""
    model = sound_model(covariance, scale_floor=0.1)
    if std < 1:
        with torch.no_grad():
            head = model.network.head
            assert isinstance(head, MixtureHead)
            head.projection.bias.split(head.sizes)[2].fill_(-20.0)
    data = join_rows(sounds(std))
    arguments = (model.network, data, model.framing, model.normaliser())
    found = score(*arguments, exact=True, discrete=True, lanes=2, chunk_steps=4)
    assert found.bits is not None
    expected = found.bits * math.log(2) + found.values * log_width(model)
    torch.testing.assert_close(found.nats, expected, rtol=1e-4, atol=2e-3)
    density = score(*arguments, exact=False).nats
    whole = data.distances[:-1] == 1  # in other recordings an integer stands for several
    near = torch.allclose(density[whole], found.nats[whole], rtol=1e-3, atol=1e-2)
    assert near == (std > 1)


@pytest.mark.parametrize("covariance", COVARIANCES)
@torch.no_grad()
def test_the_density_is_the_mixtures_own(covariance: str) -> None:
    model = sound_model(covariance)
    batch = only_batch(model, join_rows(sounds()))
    distribution, _ = model.network(batch.inputs, model.network.initial_state(len(ROWS)))
    found = log_likelihood(distribution, batch, model.normaliser(), discrete=False)
    assert torch.equal(found, distribution.log_prob(batch.targets, batch.mask))


@pytest.mark.parametrize(
    "config",
    [
        SpectrogramConfig(kind="spectrogram", sample_rate=8_000, n_mels=5),
        PianoRollConfig(kind="piano-roll"),
    ],
    ids=lambda config: config.kind,
)
@torch.no_grad()
def test_other_inputs_have_the_distributions_own_likelihood(
    config: SpectrogramConfig | PianoRollConfig,
) -> None:
    head = "bernoulli" if config.kind == "piano-roll" else "gaussian_mixture"
    model = tiny_model(config, head=head)
    width = model.framing.width
    rows = (np.random.default_rng(0).random((12, width)) < 0.1).astype(
        np.uint8 if head == "bernoulli" else np.float16
    )
    batch = only_batch(model, join_rows([rows, rows[:5]]))
    distribution, _ = model.network(batch.inputs, model.network.initial_state(2))
    found = log_likelihood(distribution, batch, model.normaliser(), discrete=False)
    assert torch.equal(found, distribution.log_prob(batch.targets, batch.mask))


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_both_ways_have_nearly_the_same_gradient_where_scales_are_wide(covariance: str) -> None:
    model = sound_model(covariance)
    batch = only_batch(model, join_rows([tone(count, seed)[:, None] for seed, count in enumerate(ROWS)]))
    gradients = []
    for discrete in (False, True):
        model.network.zero_grad()
        distribution, _ = model.network(batch.inputs, model.network.initial_state(len(ROWS)))
        log_likelihood(distribution, batch, model.normaliser(), discrete).sum().backward()
        found = [weight.grad for weight in model.network.parameters()]
        gradients.append(torch.cat([gradient.flatten() for gradient in found if gradient is not None]))
    density, discrete_one = gradients
    assert float((density - discrete_one).norm()) < 0.01 * float(density.norm())


def trained(corpus: Path) -> RunFolder:
    settings = {
        "corpus.inputs": f"[{corpus}]",
        "corpus.group": "recording",
        "input.sample_rate": 8_000,
        "model.hidden_size": 12,
        "model.mixture_components": 3,
        "train.epochs": 3,
        "train.batch_size": 4,
        "train.bptt_steps": 40,
        "train.device": "cpu",
        "train.loss": "discrete",
    }
    config = load_config(None, [f"{key}={value}" for key, value in settings.items()])
    dataset = prepare_stage(config)
    run = start_run(config, dataset, open_dataset(dataset, config.input).fingerprint)
    train(run)
    return run


def test_discrete_training_learns_and_validates_in_the_densitys_unit(tmp_path: Path) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=10, seconds=0.4, sample_rate=8_000)
    run = trained(corpus)
    curve = [line["metrics"] for line in run.lines()]
    valid = [point["valid/nats_per_step"] for point in curve if "valid/nats_per_step" in point]
    assert valid[-1] < valid[0] - 0.5
    model = load_model(run.model)
    data = split_rows(open_dataset(run.dataset, model.input), "valid", model.device)
    arguments = (model.network, data, model.framing, model.normaliser())
    best = run.status()["summary"]["valid_nats_per_step"]
    assert best == min(valid)
    exact = score(*arguments, exact=True, discrete=True)
    assert exact.nats_per_step == pytest.approx(best, rel=1e-5)
    assert score(*arguments, exact=False).nats_per_step == pytest.approx(best, abs=0.01)
    assert exact.bits_per_sample is not None
    from_bits = 10 * (exact.bits_per_sample * math.log(2) + log_width(model))
    assert from_bits == pytest.approx(best, abs=1e-3)
