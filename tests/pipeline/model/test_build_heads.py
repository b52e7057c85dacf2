"""A further head is a module and one line of the registry; settings, training and generation take it."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.head_kinds import COVARIANCES, GAUSSIAN_MIXTURE, HEADS, HeadKind, head_kind
from models.heads import GaussianMixtureHead
from pipeline.compression.network_mixture import check_codes
from pipeline.config.loading import load_config
from pipeline.config.run import EvaluateConfig
from pipeline.data.dataset import open_dataset
from pipeline.errors import UserError
from pipeline.evaluation.evaluate import evaluate
from pipeline.export.onnx_step import export_step
from pipeline.generation.generate import continue_samples
from pipeline.model.storage import load_model
from pipeline.stages import prepare_stage
from pipeline.tracking.run_folder import start_run
from pipeline.training.loop import train
from tests.helpers.builders import tiny_model
from tests.helpers.sounds import write_noisy_tones


class Laplace:
    """Independent Laplace distributions over D values."""

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        self.mean, self.scale = mean, scale

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        nats = -(value - self.mean).abs() / self.scale - (2 * self.scale).log()
        return (nats if mask is None else nats.masked_fill(~mask, 0.0)).sum(-1)

    def sample(self, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(self.mean.shape, generator=generator)
        return self.draw(torch.zeros(self.mean.shape[:-1]), noise, temperature)

    def draw(
        self,
        uniform: Tensor,
        noise: Tensor,
        temperature: float = 1.0,
        *,
        noise_scale: float | None = None,
        max_scale: float = math.inf,
    ) -> Tensor:
        factor = temperature if noise_scale is None else noise_scale
        share = torch.special.ndtr(noise).clamp(1e-6, 1 - 1e-6)
        standard = torch.distributions.Laplace(0.0, 1.0).icdf(share)
        return self.mean + factor * self.scale.clamp(max=max_scale) * standard

    def expectation(self) -> Tensor:
        return self.mean


class LaplaceHead(nn.Module):
    def __init__(self, hidden_size: int, target_size: int, scale_floor: float) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden_size, 2 * target_size)
        self.scale_floor = scale_floor

    def forward(self, hidden: Tensor, inputs: Tensor) -> Laplace:
        mean, raw = self.projection(hidden).chunk(2, -1)
        return Laplace(mean, raw.clamp(max=7).exp() + self.scale_floor)


LAPLACE = HeadKind("laplace", "numbers", f"{__name__}:LaplaceHead", ("scale_floor",), "Laplace distributions")
SETTINGS = [
    "model.head=laplace",
    "model.hidden_size=24",
    "train.epochs=15",
    "train.learning_rate=0.01",
    "train.batch_size=4",
    "train.bptt_steps=40",
    "train.device=cpu",
    "corpus.group=recording",
    "input.sample_rate=8000",
]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The head is among all others."""
    monkeypatch.setitem(HEADS, "laplace", LAPLACE)


@pytest.mark.usefixtures("registered")
def test_a_new_head_is_trained_scored_and_drawn_from(tmp_path: Path) -> None:
    corpus = write_noisy_tones(tmp_path / "tones", count=10, seconds=0.5, sample_rate=8000)
    config = load_config(None, [f"corpus.inputs=[{corpus}]", *SETTINGS])
    dataset = prepare_stage(config)
    run = start_run(config, dataset, open_dataset(dataset, config.input).fingerprint)
    train(run)
    figures = evaluate(run.model, dataset, EvaluateConfig(), "cpu")
    assert figures["model"]["nats_per_step"] < figures["baselines"]["fixed Gaussian"]["nats_per_step"]
    assert figures["model"]["bits_per_sample"] is None, "it has no exact probabilities of integers"
    model = load_model(run.model)
    assert isinstance(model.network.head, LaplaceHead)
    added = continue_samples(model, np.zeros(0, np.int16), 0.05).added
    assert added.shape == (1, 400)
    assert added.std() > 0
    assert model.engine() == {
        "engine": "torch",
        "engine_reason": "the head laplace has no compiled form",
    }
    with pytest.raises(UserError, match="the head laplace has no description for other runtimes"):
        export_step(model, tmp_path / "step.onnx")
    with pytest.raises(UserError, match="the head laplace has no exact probabilities that compress needs"):
        check_codes(model)


@pytest.mark.usefixtures("registered")
def test_settings_check_what_a_head_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config(None, ["model.head=laplace", "input.kind=spectrogram"]).model.head == "laplace"
    with pytest.raises(UserError, match="'gaussian_mixture', 'adaptive', 'bernoulli', 'nade', 'laplace'"):
        load_config(None, ["model.head=cauchy"])
    with pytest.raises(UserError, match="gaussian_mixture or laplace is for waveform and spectrogram"):
        load_config(None, ["model.head=laplace", "input.kind=piano-roll"])
    with pytest.raises(UserError, match=r"train\.loss=discrete is for heads that give mixtures"):
        load_config(None, ["model.head=laplace", "train.loss=discrete"])
    of_samples = HeadKind("laplace", "samples", LAPLACE.make, LAPLACE.settings)
    monkeypatch.setitem(HEADS, "laplace", of_samples)
    with pytest.raises(UserError, match=r"model\.head=laplace is for input\.kind=waveform"):
        load_config(None, ["model.head=laplace", "input.kind=spectrogram"])


class TiedHead(GaussianMixtureHead):
    """A covariance of its own for the test: that of the diagonal head."""


def test_a_new_covariance_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = HeadKind("tied", "numbers", f"{__name__}:TiedHead", ("mixture_components", "scale_floor"))
    monkeypatch.setitem(COVARIANCES, "tied", kind)
    model = tiny_model(covariance="tied")
    assert isinstance(model.network.head, TiedHead)
    assert model.why_not_compiled == "the tied covariance has no compiled form"
    assert load_config(None, ["model.covariance=tied"]).model.covariance == "tied"


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("head", [*HEADS])
def test_every_head_is_built_for_its_outputs(head: str, covariance: str) -> None:
    settings = {"mixture_components": 3, "scale_floor": 0.1, "autoregressive_order": 4, "nade_hidden": 5}
    settings["quantisation_step"] = 1e-3
    built = head_kind(head, covariance).build(6, 2, settings)
    assert isinstance(built, nn.Module)
    assert (head_kind(head, covariance).name == covariance) == (head == GAUSSIAN_MIXTURE)
    assert HEADS[head].gives
