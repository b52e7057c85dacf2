"""A continuation follows the recording exactly, and is conditioned on the samples that are written."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import pipeline.generation.generate as generation
from models.distributions.mixture import DiagonalMixture
from models.recurrent.cells import CELLS
from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.evaluation.nll import CHUNK_STEPS
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.features.representations import representation_of
from pipeline.features.spectrogram_frames import SpectrogramFrames
from pipeline.generation.context import ContextRows, Rows
from pipeline.generation.engine import free_run
from pipeline.generation.free_running import FreeRun
from pipeline.generation.free_running_torch import TorchFreeRun, warm_state
from pipeline.generation.generate import continue_samples, encode_context
from pipeline.generation.options import SamplingOptions
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import noise, tiny_model, tone
from tests.helpers.notes import some_roll

RATE = 8_000
WAVEFORM = WaveformConfig(sample_rate=RATE)
OTHER_FRAMING = WaveformConfig(sample_rate=RATE, window=5, hop=16)
FRAMES = SpectrogramConfig(kind="spectrogram", sample_rate=RATE, n_mels=20, window_length=200, hop_length=80)
LENGTHS = [0, 1, 9, 10, 19, 20, 21, 160, 205, 10 * CHUNK_STEPS, 2 * 10 * CHUNK_STEPS + 35]


def samples_of(count: int) -> Tensor:
    return torch.from_numpy(noise(count, 3, 2_000.0))[:, None]


def inputs_by_hand(model: TrainedModel, rows: Tensor, steps: int) -> Tensor:
    """Inputs (1, steps, D) cut one by one from the padded rows."""
    frames = model.framing
    values = model.normaliser().normalise(rows)
    padded = torch.cat([torch.zeros(frames.window, frames.width), values])
    cuts = [padded[t * frames.hop : t * frames.hop + frames.window].flatten() for t in range(steps)]
    return torch.stack(cuts)[None]


def one_long_pass(model: TrainedModel, rows: Tensor) -> tuple[DiagonalMixture, tuple[Tensor, ...]]:
    """Distributions of all steps and of the one that follows, and the state before that one."""
    steps = len(rows) // model.framing.hop
    inputs = inputs_by_hand(model, rows, steps + 1)
    state = model.network.initial_state(1)
    distributions, _ = model.network(inputs, state)
    return distributions, model.network(inputs[:, :-1], state)[1] if steps else state


@pytest.mark.thinned(2)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("config", [WAVEFORM, OTHER_FRAMING], ids=["20, 10", "5, 16"])
@pytest.mark.parametrize("length", LENGTHS)
@torch.no_grad()
def test_a_conditioned_state_is_that_of_one_long_pass_and_so_is_the_next_step(
    cell: str, config: InputConfig, length: int
) -> None:
    model = tiny_model(config, cell=cell)
    rows = samples_of(length)
    whole_steps = rows[length % model.framing.hop :]
    state, window = warm_state(model, ContextRows.of(whole_steps.numpy()))
    expected, expected_state = one_long_pass(model, whole_steps)
    for part, expected_part in zip(state, expected_state, strict=True):
        torch.testing.assert_close(part, expected_part, rtol=0, atol=1e-5)
    following, _ = model.network.step(window.reshape(1, -1), state)
    torch.testing.assert_close(following.logits, expected.logits[:, -1], rtol=0, atol=1e-5)
    torch.testing.assert_close(following.mean, expected.mean[:, -1], rtol=0, atol=1e-5)
    torch.testing.assert_close(following.scale, expected.scale[:, -1], rtol=1e-4, atol=0)
    context = min(len(whole_steps), model.framing.window)
    torch.testing.assert_close(
        window[len(window) - context :], model.normaliser().normalise(rows[length - context :])
    )
    assert not window[: len(window) - context].any()


@torch.no_grad()
def test_every_row_of_a_piece_of_notes_conditions_the_state() -> None:
    """Its first row is not scored; it conditions the state like the others."""
    model = tiny_model(PianoRollConfig(kind="piano-roll"), head="bernoulli")
    rows = torch.from_numpy(some_roll(12, density=0.3))
    _, expected = one_long_pass(model, rows)
    state, _ = warm_state(model, ContextRows.of(rows.numpy()))
    for part, expected_part in zip(state, expected, strict=True):
        torch.testing.assert_close(part, expected_part, rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", [WAVEFORM, OTHER_FRAMING], ids=["20, 10", "5, 16"])
@torch.no_grad()
def test_generated_samples_are_context_as_a_recording_is(config: InputConfig) -> None:
    """On recording and continuation as one recording, the model's mean is what was generated."""
    model = tiny_model(config)
    hop = model.framing.hop
    rows = samples_of(20 * hop)
    (added,) = free_run(model, rows.numpy(), SamplingOptions(mode="likely")).take(12 * hop)
    continuation = torch.from_numpy(added)
    distributions, _ = one_long_pass(model, torch.cat([rows, continuation]))
    expected = model.normaliser().restore(distributions.sample(0.0)[0, 20:-1].reshape(-1, 1))
    assert continuation.unique().numel() > 12
    assert int((continuation.int() - expected.int()).abs().max()) <= 1  # where rounding falls either way


@pytest.mark.thinned(2)
@pytest.mark.parametrize("config", [WAVEFORM, FRAMES], ids=lambda config: config.kind)
@pytest.mark.parametrize("context", [0, 1, 19, 20, 21])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
def test_as_many_rows_as_asked_for(config: InputConfig, context: int, count: int) -> None:
    model = tiny_model(config)
    rows = encode_context(model, tone(context * model.audio.samples_per_row))
    continuation = free_run(model, rows[:context], SamplingOptions(takes=2)).take(count)
    assert continuation.shape == (2, count, model.framing.width)
    assert np.isfinite(continuation).all()
    if config is WAVEFORM:
        assert continuation.dtype == np.int16


def test_the_same_seed_gives_the_same_samples_and_spares_the_global_generator() -> None:
    model, context = tiny_model(WAVEFORM), tone(400)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (
        continue_samples(model, context, 0.05, SamplingOptions(seed=s)).added for s in (1, 1, 2)
    )
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_temperature_and_noise_the_seed_does_not_matter() -> None:
    model, context = tiny_model(WAVEFORM), tone(400)
    first, other = (
        continue_samples(
            model, context, 0.05, SamplingOptions(seed=s, temperature=0.0, noise_scale=0.0)
        ).added
        for s in (1, 2)
    )
    assert np.array_equal(first, other)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("config", [WAVEFORM, FRAMES], ids=lambda config: config.kind)
@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 4_000, 4_081])
@pytest.mark.parametrize("count", [1, 80, 800, 988])
def test_sound_of_the_right_length(config: InputConfig, length: int, count: int) -> None:
    continuation = continue_samples(tiny_model(config), tone(length), count / RATE).added
    assert continuation.dtype == np.int16
    assert continuation.shape == (1, count)


def test_samples_beyond_full_scale_are_clipped_and_fed_back_clipped() -> None:
    model = tiny_model(WAVEFORM)
    size = model.framing.target_size
    with torch.no_grad():  # every component far above and below full scale by turns
        bias = model.network.head.projection.bias
        bias[3 : 3 + 3 * size] = torch.tensor([1e3, -1e3]).repeat(3 * size // 2)
    sampling = SamplingOptions(temperature=0.0, noise_scale=0.0)
    (continuation,) = continue_samples(model, tone(100), 0.1, sampling).added
    assert set(continuation.tolist()) == {-32_768, 32_767}
    _, window = warm_state(model, ContextRows.of(continuation[:, None]))
    assert float(window.abs().max()) < 1 / model.normalisation.std[0] + 1


# Spectrograms


def oracle(future: NDArray[np.int16], context: list[ContextRows]) -> Callable[..., FreeRun]:
    """Replace the model: record the context's rows, and continue by those of the real recording."""

    class Oracle(TorchFreeRun):
        def condition(self, rows: ContextRows) -> None:
            context.append(rows)

        def draw(self, uniform: NDArray[np.float32], noise: NDArray[np.float32]) -> Rows:
            begin = len(context[0]) + self.limiter.steps
            none = np.zeros(uniform.shape, bool)
            self.limiter.note(none, none)
            frames = SpectrogramFrames(FRAMES).analysis.frames(torch.from_numpy(future)).numpy()
            return frames[None, begin : begin + uniform.shape[1]]

    return Oracle


@pytest.mark.parametrize("length", [0, 60, 100, 3_999, 4_000, 4_001, 4_050, 4_079])
def test_frames_continue_where_the_recording_ended(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every frame predicted perfectly, a burst has its right time; the end itself is not context."""
    whole = noise(8_000, 2, 5.0)
    whole[length + 800 : length + 1_200] = noise(400, 3, 5_000.0)
    context: list[ContextRows] = []
    monkeypatch.setattr(generation, "free_run", oracle(whole, context))
    model = tiny_model(FRAMES)
    (continuation,) = continue_samples(model, whole[:length], 0.25).added
    assert len(continuation) == 2_000
    middle = np.average(np.arange(2_000), weights=np.square(continuation.astype(float)))
    assert abs(middle - 1_000) < FRAMES.hop_length / 4
    frames = SpectrogramFrames(FRAMES).analysis.frames(torch.from_numpy(whole)).to(torch.float16)
    torch.testing.assert_close(torch.from_numpy(context[0].last(len(frames))), frames[: len(context[0])])
    assert length - FRAMES.window_length < len(context[0]) * FRAMES.hop_length <= length


def test_context_rows_are_what_a_data_set_would_store() -> None:
    samples = tone(4_321)
    assert np.array_equal(encode_context(tiny_model(WAVEFORM), samples), samples[:, None])
    frames = SpectrogramFrames(FRAMES).analysis.frames(torch.from_numpy(samples)).to(torch.float16)
    assert np.array_equal(encode_context(tiny_model(FRAMES), samples), frames.numpy())


def test_predicted_frames_stay_within_the_range_of_training() -> None:
    width = representation_of(FRAMES).row_width
    known = Normalisation((0.0,) * width, (1.0,) * width, (-2.0,) * width, (1.0,) * width)
    wild = torch.full((width,), 50.0)
    normaliser = Normaliser(representation_of(FRAMES), known, torch.device("cpu"))
    assert normaliser.restore(wild).tolist() == [1.0] * width
    assert normaliser.restore(-wild).tolist() == [-2.0] * width
