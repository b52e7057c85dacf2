"""Scores in chunks, in any number of lanes, are those of one long pass over each recording by itself."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.recurrent.cells import CELLS
from pipeline.config.inputs import PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.evaluation.nll import Scores, score
from pipeline.model.trained_model import TrainedModel
from pipeline.music.midi import KEYS
from tests.helpers.builders import join_rows, noise, tiny_model

ROWS = [137, 20, 9, 10, 11, 1, 64, 200, 33]
WAVEFORM = WaveformConfig(sample_rate=8_000)
FRAMES = SpectrogramConfig(kind="spectrogram", n_mels=6)
NOTES = PianoRollConfig(kind="piano-roll")


def sounds(rows: list[int] = ROWS) -> list[NDArray[np.int16]]:
    """Noise whose first sample is odd, so that all 16 bits are used."""
    recordings = [noise(count, seed, 2_000.0)[:, None] for seed, count in enumerate(rows)]
    for recording in recordings:
        recording[0] |= 1
    return recordings


def scored(
    model: TrainedModel, recordings: list[NDArray[np.int16]], exact: bool = True, **layout: int
) -> Scores:
    return score(model.network, join_rows(recordings), model.framing, model.normaliser(), exact, **layout)


@torch.no_grad()
def one_long_pass(model: TrainedModel, recording: NDArray[np.int16]) -> tuple[float, float]:
    """Nats and bits of a recording: padded, cut by hand, run in one piece; each output summed by itself."""
    frames, normaliser = model.framing, model.normaliser()
    steps = -(-len(recording) // frames.hop)
    normalised = normaliser.normalise(torch.from_numpy(recording))[:, 0]
    padded = torch.cat([torch.zeros(frames.window), normalised, torch.zeros(frames.hop)])
    inputs = torch.stack([padded[t * frames.hop :][: frames.window] for t in range(steps)])
    mixture, _ = model.network(inputs[None], model.network.initial_state(1))
    lower, upper = normaliser.interval(torch.from_numpy(recording))
    nats = bits = 0.0
    for t in range(steps):
        here = slice(t * frames.hop, min((t + 1) * frames.hop, len(recording)))
        count = here.stop - here.start
        log_weights = torch.log_softmax(mixture.logits[0, t].double(), -1)
        normal = torch.distributions.Normal(mixture.mean[0, t, :, :count], mixture.scale[0, t, :, :count])
        density = normal.log_prob(normalised[here]).sum(-1)
        nats -= float(torch.logsumexp(log_weights + density, -1))
        low, high = ((x[here, 0] - normal.loc.double()) / normal.scale.double() for x in (lower, upper))
        # Of two places beyond the mean the lower tail is used: near 1, a probability has no digits left.
        beyond = low > 0
        below, above = torch.where(beyond, -high, low), torch.where(beyond, -low, high)
        log_above, log_below = torch.special.log_ndtr(above), torch.special.log_ndtr(below)
        log_mass = log_above + torch.log1p(-torch.exp(log_below - log_above))
        bits -= float(torch.logsumexp(log_weights + log_mass.sum(-1), -1)) / math.log(2)
    return nats, bits


@pytest.mark.thinned(7)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("lanes", "chunk_steps"), [(1, 1), (1, 1000), (2, 3), (4, 7), (9, 5), (32, 200)])
def test_chunks_and_lanes_change_nothing(cell: str, layers: int, lanes: int, chunk_steps: int) -> None:
    model = tiny_model(WAVEFORM, cell=cell, num_layers=layers)
    found = scored(model, sounds(), lanes=lanes, chunk_steps=chunk_steps)
    expected = np.array([one_long_pass(model, recording) for recording in sounds()])
    assert found.bits is not None
    np.testing.assert_allclose(found.nats.numpy(), expected[:, 0], rtol=1e-5)
    np.testing.assert_allclose(found.bits.numpy(), expected[:, 1], rtol=1e-5)
    assert found.values.tolist() == ROWS


def test_a_score_is_the_recordings_own_whatever_stands_beside_it() -> None:
    model = tiny_model(WAVEFORM)
    together = scored(model, sounds(), lanes=3, chunk_steps=4)
    for index, recording in enumerate(sounds()):
        alone = scored(model, [recording])
        assert float(together.nats[index]) == pytest.approx(float(alone.nats), rel=1e-6)


def test_averages_are_over_all_values_and_a_partial_step_counts_in_part() -> None:
    found = scored(tiny_model(WAVEFORM), sounds())
    assert found.bits is not None
    assert found.bits_per_sample == pytest.approx(float(found.bits.sum()) / sum(ROWS))
    assert found.nats_per_step == pytest.approx(float(found.nats.sum()) / sum(ROWS) * 10)


def test_a_narrow_interval_makes_bits_of_nats() -> None:
    """The scales of an untrained model are many steps wide, so bits are nats less the logarithm of a step."""
    model = tiny_model(WAVEFORM)
    found = scored(model, sounds())
    step = 1 / 32_768 / model.normalisation.std[0]
    assert found.bits_per_sample == pytest.approx(
        (found.nats_per_step / 10 - math.log(step)) / math.log(2), abs=1e-3
    )


def test_bits_that_no_sample_of_a_recording_uses_are_not_coded() -> None:
    """The model is wide beside 16 steps: intervals 16 times as wide are 16 times as likely."""
    model, recordings = tiny_model(WAVEFORM), sounds([120, 90])
    recordings[0] &= -16
    recordings[0][0] |= 16
    found = scored(model, recordings)
    recordings[0][-1] += 1  # now one sample uses the lowest bit
    whole = scored(model, recordings)
    assert found.bits is not None
    assert whole.bits is not None
    np.testing.assert_allclose(whole.bits - found.bits, [4 * 120, 0], atol=1.0)


@pytest.mark.parametrize("value", [0, 32_767, -32_768])
def test_bits_are_finite_and_not_negative_on_constant_sound(value: int) -> None:
    found = scored(tiny_model(WAVEFORM), [np.full((300, 1), value, np.int16)])
    assert found.bits is not None
    assert found.bits.isfinite().all()
    assert found.nats.isfinite().all()
    assert float(found.bits) >= 0


def test_frames_have_no_code_length_and_samples_only_when_asked() -> None:
    assert scored(tiny_model(WAVEFORM), sounds(), exact=False).bits_per_sample is None
    frames = [np.full((count, 6), -3, np.float16) for count in (5, 1, 12)]
    model = tiny_model(FRAMES)
    found = score(model.network, join_rows(frames), model.framing, model.normaliser(), exact=True)
    assert found.bits is None
    assert found.values.tolist() == [30, 6, 72]
    assert found.target_size == 6
    assert math.isfinite(found.nats_per_step)


@pytest.mark.parametrize("training", [False, True])
def test_scoring_is_without_dropout_and_leaves_the_mode_as_it_was(training: bool) -> None:
    model = tiny_model(WAVEFORM, num_layers=2, dropout=0.5)
    calm = scored(model, sounds())
    model.network.train(training)
    assert torch.equal(scored(model, sounds()).nats, calm.nats)
    assert model.network.training is training


# Notes, by the protocol of Boulanger-Lewandowski et al. (2012)


NOTE_ROWS = [9, 1, 30, 2, 14]


def chords(rows: list[int] = NOTE_ROWS) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return [(random.random((count, KEYS)) < 0.06).astype(np.uint8) for count in rows]


def nats_by_hand(model: TrainedModel, notes: NDArray[np.uint8]) -> float:
    """Of a tanh layer and independent notes: inputs are frames[:-1], targets frames[1:], nothing else."""
    weights = {
        name.split(".")[-1]: value.double().numpy() for name, value in model.network.state_dict().items()
    }
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    hidden = np.tanh(bias)  # after the step that saw nothing, and whose frame is not scored
    nats = 0.0
    for seen, following in pairwise(notes.astype(float)):
        hidden = np.tanh(weights["weight_ih_l0"] @ seen + weights["weight_hh_l0"] @ hidden + bias)
        probability = 1 / (1 + np.exp(-weights["weight"] @ hidden - weights["bias"]))
        nats -= np.log(np.where(following == 1, probability, 1 - probability)).sum()
    return nats


@pytest.mark.parametrize(("lanes", "chunk_steps"), [(1, 1), (2, 3), (32, 200)])
def test_the_first_frame_of_a_piece_is_context_but_not_scored(lanes: int, chunk_steps: int) -> None:
    model = tiny_model(NOTES, cell="tanh", head="bernoulli")
    found = score(
        model.network,
        join_rows(chords()),
        model.framing,
        model.normaliser(),
        exact=True,
        lanes=lanes,
        chunk_steps=chunk_steps,
    )
    expected = [nats_by_hand(model, notes) for notes in chords()]
    np.testing.assert_allclose(found.nats.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert float(found.nats[1]) == 0  # a single frame is not asked for
    assert found.bits is None
    steps = sum(NOTE_ROWS) - len(NOTE_ROWS)
    assert found.values.tolist() == [88 * (count - 1) for count in NOTE_ROWS]
    assert found.nats_per_step == pytest.approx(sum(expected) / steps, rel=1e-5)
    over_pieces = np.mean(
        [x / (count - 1) for x, count in zip(expected, NOTE_ROWS, strict=True) if count > 1]
    )
    assert found.nats_per_step != pytest.approx(over_pieces, rel=3e-4)


def test_notes_of_known_odds_have_their_entropy() -> None:
    """A model with the same odds for every note and any input: nats are a count of notes."""
    model = tiny_model(NOTES, head="bernoulli")
    with torch.no_grad():
        weights = dict(model.network.named_parameters())
        weights["head.projection.weight"].zero_()
        weights["head.projection.bias"].fill_(math.log(0.1 / 0.9))
    found = score(model.network, join_rows(chords()), model.framing, model.normaliser(), exact=True)
    sounding = np.array([notes[1:].sum() for notes in chords()])
    silent = np.array([notes[1:].size for notes in chords()]) - sounding
    np.testing.assert_allclose(found.nats.numpy(), -(sounding * math.log(0.1) + silent * math.log(0.9)), 1e-5)
