"""Every part fits every other: each combination builds, trains, is saved and loaded, scores and generates."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.distributions.correlated_mixtures import AutoregressiveMixture
from models.encoder_decoder.encoder_decoder import EncoderDecoder
from models.recurrent.cells import CELLS
from models.recurrent.stack import detach_state, keep_state_where
from pipeline.audio.linear_prediction import fit_linear_predictor
from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.data.batching import batches, independent_plan
from pipeline.data.dataset import SplitRows
from pipeline.errors import UserError
from pipeline.evaluation.nll import score
from pipeline.features.representations import representation_of
from pipeline.generation.engine import free_run
from pipeline.generation.options import SamplingOptions
from pipeline.model.build import Network, build_network, start_head
from pipeline.model.likelihood import log_likelihood
from pipeline.model.storage import load_model, save_model
from pipeline.model.trained_model import TrainedModel
from pipeline.music.midi import KEYS
from tests.helpers.builders import dataset_of, join_rows, noise, tiny_model, tone

SOUND = WaveformConfig(sample_rate=8_000)
FRAMES = SpectrogramConfig(kind="spectrogram", sample_rate=8_000, n_mels=12, window_length=200, hop_length=80)
NOTES = PianoRollConfig(kind="piano-roll")
COVARIANCES = ("diagonal", "full", "autoregressive")
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "convolutions": {"convolutions": [[6, 4, 2], [5, 3, 1]]},
    "deep": {"num_layers": 2, "layer_norm": True, "residual": True, "learned_initial_state": True},
    "encoder-decoder": {"architecture": "encoder-decoder", "decode_steps": 4},
    "attention": {
        "architecture": "encoder-decoder",
        "decode_steps": 4,
        "attention_steps": 3,
        "num_layers": 2,
    },
}
SOUNDS = [(SOUND, {"covariance": each, "autoregressive_order": 13}) for each in COVARIANCES]
FRAME_HEADS = [(FRAMES, {"covariance": each}) for each in COVARIANCES[:2]]
NOTE_HEADS = [(NOTES, {"head": each, "nade_hidden": 9}) for each in ("bernoulli", "nade")]


HEADS = SOUNDS + FRAME_HEADS + NOTE_HEADS


def combinations() -> Iterator[Any]:
    """All combinations; slow but for a selection in which every two parts meet."""
    for head, shape, cell in product(range(len(HEADS)), range(len(SHAPES)), range(len(CELLS))):
        config, settings = HEADS[head]
        name, unit = list(SHAPES)[shape], list(CELLS)[cell]
        apart = (head - cell) % len(HEADS)
        selected = apart == shape or (apart >= len(SHAPES) and shape == cell % len(SHAPES))
        marks = () if selected else (pytest.mark.slow,)
        label = "-".join([config.kind, *map(str, settings.values()), name, unit])
        yield pytest.param(config, settings, name, unit, marks=marks, id=label)


def rows_for(config: InputConfig) -> SplitRows:
    if config is SOUND:
        return join_rows([tone(1_203, seed)[:, None] for seed in range(3)])
    random = np.random.default_rng(0)
    if config is NOTES:
        chords = random.random((3, 61, KEYS)) < 0.05
        return join_rows([(chord | np.roll(chord, 1, 0)).astype(np.uint8) for chord in chords])
    walks = np.cumsum(random.standard_normal((3, 61, representation_of(config).row_width)) * 0.05, 1)
    return join_rows([walk.astype(np.float16) for walk in walks])


def trained_a_little(model: TrainedModel, data: SplitRows, updates: int = 12) -> list[float]:
    """The loss of each update, on one batch of all recordings."""
    frames, normaliser, network = model.framing, model.normaliser(), model.network.train()
    steps = frames.steps(data.length).numpy()
    plan = independent_plan(steps, 3, int(steps.max()), np.random.default_rng(0))
    (batch,) = batches(plan, data, frames, normaliser)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(updates):
        fresh = network.initial_state(3)
        distribution, _ = network(batch.inputs, keep_state_where(detach_state(fresh), batch.keep, fresh))
        loss = -log_likelihood(distribution, batch, normaliser, discrete=False).sum() / batch.values
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return losses


@pytest.mark.thinned(4)
@pytest.mark.parametrize(("config", "head", "shape", "cell"), list(combinations()))
def test_every_combination_learns_is_saved_and_generates(
    config: InputConfig, head: dict[str, Any], shape: str, cell: str, tmp_path: Path
) -> None:
    model = tiny_model(config, cell=cell, hidden_size=8, **SHAPES[shape], **head)
    data = rows_for(config)
    losses = trained_a_little(model, data)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    save_model(tmp_path, model.network.state_dict(), model.input, model.model, model.normalisation, {})
    loaded = load_model(tmp_path)
    found = [
        score(each.network, data, model.framing, model.normaliser(), exact=True) for each in (model, loaded)
    ]
    assert torch.equal(found[0].nats, found[1].nats)
    if found[0].bits is not None:
        assert found[0].bits.isfinite().all()
    rows = data.rows[int(data.offset[0]) :][:50].numpy()
    continuation = free_run(loaded, rows, SamplingOptions(takes=2, seed=1)).take(31)
    assert continuation.shape == (2, 31, representation_of(config).row_width)
    assert continuation.dtype == (np.float32 if config is FRAMES else rows.dtype)
    assert np.isfinite(continuation).all()
    second = free_run(loaded, rows, SamplingOptions(seed=2)).take(31)
    # A take alone is that of the batch, up to the rounding of batched products.
    apart = np.abs(continuation[1:].astype(float) - second)
    assert apart.max() <= (1e-3 if config is FRAMES else 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("config", [SOUND, FRAMES, NOTES], ids=lambda config: config.kind)
def test_no_shape_lets_a_step_see_what_it_predicts(shape: str, config: InputConfig) -> None:
    """Another value in one row changes the nats of steps from that row's own on, and of none before it."""
    head = {"head": "bernoulli"} if config is NOTES else {"covariance": "full"}
    model = tiny_model(config, hidden_size=8, **SHAPES[shape], **head)
    frames, data = model.framing, rows_for(config)
    changed_row = 7 * frames.hop + frames.hop // 2
    other = SplitRows(data.rows.clone(), data.offset[:1], data.length[:1])
    row = other.rows[int(data.offset[0]) + changed_row]
    row[:] = 1 - row if config is NOTES else row + 9
    nats = []
    for each in (SplitRows(data.rows, data.offset[:1], data.length[:1]), other):
        plan = independent_plan(np.array([20]), 1, 20, np.random.default_rng(0))
        (batch,) = batches(plan, each, frames, model.normaliser())
        with torch.no_grad():
            distribution, _ = model.network(batch.inputs, model.network.initial_state(1))
            nats.append(distribution.log_prob(batch.targets, batch.mask)[0])
    differs = (nats[0] != nats[1]).tolist()
    assert not any(differs[:7])
    assert differs[7]
    assert any(differs[8:])


@pytest.mark.parametrize("architecture", ["predictor", "encoder-decoder"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_budget_is_used_up_but_not_exceeded(cell: str, architecture: str) -> None:
    def network(**size: int) -> Network:
        return tiny_model(SOUND, cell=cell, architecture=architecture, attention_steps=5, **size).network

    budgeted = network(parameter_budget=20_000)
    stack = budgeted.encoder if isinstance(budgeted, EncoderDecoder) else budgeted.recurrent
    assert budgeted.recurrent_parameter_count() <= 20_000
    assert network(hidden_size=stack.hidden_size + 1).recurrent_parameter_count() > 20_000


def test_the_studys_sizes_come_out_of_one_budget() -> None:
    widths = {}
    for cell in ("chung2014-tanh", "chung2014-gru", "chung2014-lstm"):
        network = tiny_model(SOUND, cell=cell, parameter_budget=169_100).network
        widths[network.recurrent.hidden_size] = network.recurrent_parameter_count()
    assert widths == {400: 168_400, 227: 168_888, 195: 169_065}


def test_too_small_a_budget_is_refused() -> None:
    model = ModelConfig(parameter_budget=10)
    with pytest.raises(UserError, match="parameter_budget=10"):
        build_network(SOUND, model, tiny_model().normalisation)


def test_strides_make_a_prediction_cover_as_many_hops() -> None:
    convolutions: list[list[list[int]]] = [[], [[8, 4, 2], [8, 3, 3]]]
    models = [ModelConfig(convolutions=each) for each in convolutions]
    plain, strided = (representation_of(SOUND).framing(model) for model in models)
    assert (plain.window, plain.hop) == (20, 10)
    assert (strided.window, strided.hop) == (20 + 5 * 10, 6 * 10)


@pytest.mark.parametrize("mean", [0.0, 900.0], ids=["centred", "with an offset"])
@torch.no_grad()
def test_an_autoregressive_head_begins_at_the_training_splits_linear_predictor(
    mean: float, tmp_path: Path
) -> None:
    """Before any training, each sample is expected where that predictor expects it, in the sound's units."""
    order, config = 13, WaveformConfig(sample_rate=8_000, window=16)
    train = [(tone(900 + seed, seed) + mean).astype(np.int16) for seed in range(4)]
    held_out = noise(700, 9)
    dataset = dataset_of(tmp_path, {"train": train, "valid": [held_out], "test": [held_out]}, config)
    model = ModelConfig(
        hidden_size=6, mixture_components=3, covariance="autoregressive", autoregressive_order=order
    )
    network = build_network(config, model, dataset.normalisation)
    start_head(network, dataset)
    trained = TrainedModel.of(network.eval(), config, model, dataset.normalisation, {})
    frames, normaliser = trained.framing, trained.normaliser()
    predictor = fit_linear_predictor(train, order)
    chosen = train[2]
    steps = len(chosen) // frames.hop
    plan = independent_plan(np.array([steps]), 1, steps, np.random.default_rng(0))
    (batch,) = batches(plan, join_rows([chosen[: steps * frames.hop, None]]), frames, normaliser)
    distribution, _ = network(batch.inputs, network.initial_state(1))
    assert isinstance(distribution, AutoregressiveMixture)

    def in_samples(values: torch.Tensor) -> np.ndarray:
        return ((values.double() * normaliser.std + normaliser.mean) / normaliser.unit).numpy()

    # Knowing the samples before it, also those of its own step; zeros of padding are no zeros of sound.
    known = in_samples(distribution.conditional_mean(batch.targets))[0].transpose(1, 0, 2).reshape(3, -1)
    expected = predictor.predict(chosen[: steps * frames.hop])
    for component in known:
        np.testing.assert_allclose(component[order:], expected[order:], atol=0.2)
    # And not knowing those: the predictor runs on its own predictions.
    ahead = in_samples(distribution.expectation())[0]
    for step in range(2, steps, 17):
        context = list(chosen[: step * frames.hop].astype(float))
        for _ in range(frames.hop):
            context.append(float(predictor.coefficients @ np.array(context[: -order - 1 : -1])))
        np.testing.assert_allclose(ahead[step], context[-frames.hop :], atol=0.5)
    # Its error is about as wide as the mixture.
    residual_std = float(np.sqrt(predictor.residual_weight @ predictor.residual_std**2))
    widths = distribution.scale[0, 0, :, 0].numpy() * float(normaliser.std) / normaliser.unit
    assert widths.min() < residual_std < widths.max()


@pytest.mark.parametrize("head", ["bernoulli", "nade"])
@torch.no_grad()
def test_a_head_of_notes_begins_at_how_often_each_note_sounds(head: str, tmp_path: Path) -> None:
    random, often = np.random.default_rng(0), np.linspace(0, 0.9, KEYS)
    rolls = [(random.random((300, KEYS)) < often).astype(np.uint8) for _ in range(6)]
    dataset = dataset_of(tmp_path, {"train": rolls[:4], "valid": rolls[4:5], "test": rolls[5:]}, NOTES)
    network = build_network(NOTES, ModelConfig(head=head, hidden_size=6), dataset.normalisation)
    start_head(network, dataset)
    rest = torch.zeros(1, network.head.projection.in_features), torch.zeros(1, KEYS)
    found = network.head(*rest).expectation()[0].numpy()
    # The hidden units of NADE start near 1/2, not at it.
    np.testing.assert_allclose(
        found, np.concatenate(rolls[:4]).mean(0), atol=0.01 if head == "bernoulli" else 0.2
    )
