"""Bits per recording: the same figures as the evaluation's, in units that other models share."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from models.head_kinds import HEADS, HeadKind
from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.errors import UserError
from pipeline.features.normalisation import Normalisation
from pipeline.features.representations import representation_of
from pipeline.model.build import build_network
from pipeline.model.trained_model import TrainedModel
from pipeline.promotion import recording_bits as module
from pipeline.promotion.recording_bits import differences, recording_bits, unit_of

WAVEFORM = WaveformConfig(sample_rate=8_000)
FRAMES = SpectrogramConfig(
    kind="spectrogram", sample_rate=8_000, window_length=200, hop_length=80, n_fft=256, n_mels=4
)
NOTES = PianoRollConfig(kind="piano-roll")


def model_of(kind: InputConfig, std: float = 1.0, **settings: object) -> TrainedModel:
    width = representation_of(kind).row_width
    normalisation = Normalisation((0.0,) * width, (std,) * width)
    model = ModelConfig(**{"hidden_size": 8, "mixture_components": 2, **settings})  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = build_network(kind, model, normalisation).eval()
    return TrainedModel.of(network, kind, model, normalisation, {})


def sounds(lengths: Sequence[int] = (400, 95, 203)) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [(3_000 * torch.randn(n, 1, generator=random)).short() for n in lengths]


@pytest.mark.parametrize(("window", "hop"), [(20, 10), (40, 10), (20, 20), (1, 1), (7, 3)])
def test_every_sample_counts_once_at_any_window_and_hop(window: int, hop: int) -> None:
    """A head that ignores the samples codes each alike, so the total is the same for every framing."""
    kind = WaveformConfig(sample_rate=8_000, window=window, hop=hop)
    model = model_of(kind, 0.1)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.zero_()
    found = recording_bits(model, sounds())
    assert [count for _, count in found] == [400, 95, 203]
    reference = model_of(WAVEFORM, 0.1)
    with torch.no_grad():
        for parameter in reference.network.parameters():
            parameter.zero_()
    for (bits, _), (wanted, _) in zip(found, recording_bits(reference, sounds()), strict=True):
        assert bits == pytest.approx(wanted, rel=1e-5)


def test_scores_do_not_depend_on_what_else_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(WAVEFORM, 0.1)
    together = recording_bits(model, sounds())
    alone = [recording_bits(model, [rows])[0] for rows in sounds()]
    monkeypatch.setattr(module, "PORTION_BYTES", 500)
    for found in (alone, recording_bits(model, sounds())):
        assert [count for _, count in found] == [count for _, count in together]
        assert [bits for bits, _ in found] == pytest.approx([bits for bits, _ in together], rel=1e-5)


def test_a_density_of_frames_is_in_the_units_of_the_rows() -> None:
    """A model that is normalised otherwise and has the same weights shifts by log2 of the ratio a value."""
    rows = [torch.randn(50, 4).half()]
    with torch.no_grad():
        models = [model_of(FRAMES, std) for std in (1.0, 4.0)]
        for model in models:
            for parameter in model.network.parameters():
                parameter.zero_()
    ((plain, count),), ((scaled, _),) = (recording_bits(model, rows) for model in models)
    assert count == 50
    normal = Normal(0.0, 1.0)
    values = rows[0].double()
    gain = (normal.log_prob(values) - normal.log_prob(values / 4)).sum() / math.log(2)
    assert abs(scaled - plain - (float(gain) + 2 * 4 * 50)) < 0.2 * abs(scaled - plain)
    assert unit_of(models[0]) == "frame"


def test_a_step_of_independent_even_notes_costs_a_bit_a_key() -> None:
    model = model_of(NOTES, head="bernoulli")
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.zero_()
    rows = (torch.rand(30, 88) < 0.1).to(torch.uint8)
    ((bits, count),) = recording_bits(model, [rows])
    assert count == 29  # the first step is not predicted
    assert bits / count == pytest.approx(88)
    assert unit_of(model) == "time step"


def test_an_encoder_decoder_is_scored_like_a_predictor() -> None:
    found = recording_bits(model_of(WAVEFORM, 0.1, architecture="encoder-decoder", decode_steps=4), sounds())
    assert [count for _, count in found] == [400, 95, 203]
    assert all(0 < bits / count < 40 for bits, count in found)


class UnitNormal(Independent):
    """A standard normal distribution of each value; it has a density, and no probability of an integer."""

    def __init__(self, like: Tensor) -> None:
        super().__init__(Normal(torch.zeros_like(like), 1.0), 1)

    def log_prob(self, value: Tensor, mask: Tensor | None = None) -> Tensor:
        nats = self.base_dist.log_prob(value)
        return (nats if mask is None else nats.masked_fill(~mask, 0.0)).sum(-1)


class DensityHead(nn.Module):
    """A head that learns nothing."""

    def __init__(self, hidden_size: int, target_size: int) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden_size, target_size)

    def forward(self, hidden: Tensor, *_: Tensor) -> UnitNormal:
        return UnitNormal(self.projection(hidden))


def test_a_head_without_exact_probabilities_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = HeadKind("density", "numbers", f"{__name__}:DensityHead", gives="a density")
    monkeypatch.setitem(HEADS, "density", kind)
    with pytest.raises(UserError, match=r"its head \(density\) gives no exact probability"):
        recording_bits(model_of(WAVEFORM, head="density"), sounds())


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (WaveformConfig(sample_rate=8_000, window=32, hop=8), []),
        (WaveformConfig(sample_rate=16_000), ["input.sample_rate is 16000, the champion's 8000"]),
        (FRAMES, ["input.kind is spectrogram, the champion's waveform"]),
    ],
)
def test_models_of_the_same_rows_can_be_compared(other: InputConfig, words: list[str]) -> None:
    assert differences(model_of(other), model_of(WAVEFORM)) == words


def test_piano_rolls_need_the_same_steps_and_spectrograms_the_same_frames() -> None:
    eighths = NOTES.model_copy(update={"steps_per_quarter": 2})
    faster = NOTES.model_copy(update={"quarters_per_minute": 90.0})
    notes = model_of(NOTES, head="bernoulli")
    assert differences(model_of(eighths, head="bernoulli"), notes)
    assert not differences(model_of(faster, head="bernoulli"), notes)
    assert differences(model_of(FRAMES.model_copy(update={"n_mels": 8})), model_of(FRAMES))


def test_the_figures_are_those_of_the_evaluation(tmp_path: Path) -> None:
    from pipeline.config.run import EvaluateConfig
    from pipeline.data.dataset import open_dataset
    from pipeline.evaluation.evaluate import evaluate
    from tests.helpers.contests import contest_config, made, write_voices

    run = made(contest_config(write_voices(tmp_path / "voices", seconds=0.1)), 1.0)
    figures = evaluate(run.model, run.dataset, EvaluateConfig(split="valid", linear_order=2), "cpu")
    from pipeline.model.storage import load_model

    model = load_model(run.model)
    dataset = open_dataset(run.dataset, model.input)
    rows = [dataset.recording_rows(index) for index in dataset.indices("valid").tolist()]
    found = recording_bits(model, rows)
    total = sum(bits for bits, _ in found) / sum(count for _, count in found)
    assert total == pytest.approx(figures["model"]["bits_per_sample"], rel=1e-6)
