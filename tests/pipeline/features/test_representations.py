"""What every kind of input promises: rows, rates, values and the way back."""

import math

import numpy as np
import pytest
import torch

from pipeline.config.inputs import KINDS, InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.features.representation import Representation, Rows
from pipeline.features.representations import REPRESENTATIONS, representation_of
from tests.helpers.builders import tone

WAVEFORM = WaveformConfig(sample_rate=8_000)
FRAMES = SpectrogramConfig(
    kind="spectrogram", sample_rate=8_000, window_length=200, hop_length=80, n_fft=256, n_mels=20
)
BINS = FRAMES.model_copy(update={"n_mels": 0, "dtype": "float32"})
NOTES = PianoRollConfig(kind="piano-roll")
CONFIGS: list[InputConfig] = [WAVEFORM, FRAMES, BINS, NOTES]
SOUNDS: list[InputConfig] = [WAVEFORM, FRAMES, BINS]


def rows_of(config: InputConfig) -> Rows:
    """200 rows as they are stored, over the whole range of samples and of notes."""
    representation = representation_of(config)
    random = np.random.default_rng(0)
    shape = (200, representation.row_width)
    if config is WAVEFORM:
        return random.integers(-32_768, 32_768, shape).astype(np.int16)
    if config is NOTES:
        return random.integers(0, 2, shape).astype(np.uint8)
    return (random.standard_normal(shape) - 3).astype(representation.row_dtype)


def moments_of(representation: Representation, rows: Rows) -> Normalisation:
    values = rows.astype(np.float64)
    mean, std = representation.moments(values.mean(0), values.std(0))
    scale = representation.unit
    low, high = values.min(0) * scale, values.max(0) * scale
    return Normalisation(*(tuple(each.tolist()) for each in (mean * scale, std * scale, low, high)))


def test_every_kind_of_the_settings_has_a_representation() -> None:
    kinds = {config.model_fields["kind"].annotation.__args__[0] for config in REPRESENTATIONS}  # type: ignore[union-attr]
    assert kinds == set(KINDS)


def test_the_bits_of_a_stored_row_are_those_of_an_even_distribution_over_its_values() -> None:
    kinds = {config: representation_of(config) for config in CONFIGS}
    moments = {config: moments_of(kind, rows_of(config)) for config, kind in kinds.items()}
    assert kinds[WAVEFORM].stored_bits(moments[WAVEFORM]) == 16
    assert kinds[NOTES].stored_bits(moments[NOTES]) == 88
    ranges = np.subtract(moments[BINS].high, moments[BINS].low)
    assert kinds[BINS].stored_bits(moments[BINS]) == pytest.approx(np.log2(ranges).sum())
    constant = Normalisation((0.0,) * 20, (1.0,) * 20, (2.0,) * 20, (2.0,) * 20)
    assert kinds[FRAMES].stored_bits(constant) == pytest.approx(20 * math.log2(0.01))
    assert math.isinf(kinds[FRAMES].stored_bits(Normalisation((0.0,) * 20, (1.0,) * 20)))


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_normalised_rows_are_restored(config: InputConfig) -> None:
    representation, rows = representation_of(config), rows_of(config)
    normaliser = Normaliser(representation, moments_of(representation, rows), torch.device("cpu"))
    stored = torch.from_numpy(rows)
    restored = normaliser.restore(normaliser.normalise(stored))
    if representation.frames is None:
        assert torch.equal(restored, stored)
        assert restored.dtype == stored.dtype
    else:
        torch.testing.assert_close(restored, stored.float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_numpy_and_torch_normalise_to_the_same_bits(config: InputConfig) -> None:
    representation, rows = representation_of(config), rows_of(config)
    normalisation = moments_of(representation, rows)
    normaliser = Normaliser(representation, normalisation, torch.device("cpu"))
    values = representation.normalise(rows, normalisation)
    assert values.dtype == np.float32
    assert np.array_equal(values, normaliser.normalise(torch.from_numpy(rows)).numpy())


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_values_far_outside_become_rows_that_can_be_stored(config: InputConfig) -> None:
    representation, rows = representation_of(config), rows_of(config)
    normaliser = Normaliser(representation, moments_of(representation, rows), torch.device("cpu"))
    for value, extreme in ((-1e4, rows.min(0)), (1e4, rows.max(0))):
        restored = normaliser.restore(torch.full((1, representation.row_width), value)).numpy()[0]
        limits = {True: np.array([-32_768 if value < 0 else 32_767]), False: extreme}
        np.testing.assert_allclose(restored, limits[representation.quantised], rtol=1e-6)


def test_notes_are_normalised_to_themselves() -> None:
    representation, rows = representation_of(NOTES), rows_of(NOTES)
    assert np.array_equal(representation.normalise(rows, moments_of(representation, rows)), rows)


@pytest.mark.parametrize("config", SOUNDS, ids=repr)
@pytest.mark.parametrize("samples", [0, 1, 99, 100, 101, 4_000])
def test_rows_within_a_recording_do_not_change_with_what_follows(config: InputConfig, samples: int) -> None:
    sound = representation_of(config).sound
    assert sound is not None
    whole = tone(5_000)
    within = sound.rows_within(samples)
    short, long = (np.concatenate(list(sound.rows_of_blocks([x]))) for x in (whole[:samples], whole))
    assert np.array_equal(short[:within], long[:within])
    assert short.dtype == sound.row_dtype
    assert short.shape[1] == sound.row_width


@pytest.mark.parametrize("config", SOUNDS, ids=repr)
def test_a_second_of_sound_has_as_many_rows_as_the_rate_says(config: InputConfig) -> None:
    sound = representation_of(config).sound
    assert sound is not None
    assert sound.row_rate_hz * sound.samples_per_row == sound.sample_rate
    count = sum(map(len, sound.rows_of_blocks([tone(4_000), tone(4_000)])))
    assert count - sound.row_rate_hz in (0, 1)  # a frame is centred on the first sample and one on the last


@pytest.mark.parametrize("config", SOUNDS, ids=repr)
def test_samples_become_rows_and_samples_again(config: InputConfig) -> None:
    sound = representation_of(config).sound
    assert sound is not None
    samples = tone(4_000)
    rows = np.concatenate(list(sound.rows_of_blocks([samples])))
    whole = sound.samples_of(rows, seed=0)
    before, after = rows[:30], rows[30:]
    following = sound.samples_after(before, after, seed=0)
    assert whole.dtype == following.dtype == np.int16
    assert len(following) >= len(after) * sound.samples_per_row
    if sound.rows_are_samples:
        assert np.array_equal(whole, samples)
        assert np.array_equal(following, samples[30:])
        return
    again = np.concatenate(list(sound.rows_of_blocks([whole])))
    inner = slice(3, -3)
    assert len(again) == len(rows)
    loud = rows[inner] > rows.max() - 3  # 26 dB
    assert np.abs(again[inner].astype(float) - rows[inner])[loud].mean() < 0.35


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_a_model_predicts_whole_rows_and_a_step_of_quantisation_is_positive(config: InputConfig) -> None:
    representation = representation_of(config)
    framing = representation.framing(ModelConfig())
    assert (framing.window, framing.hop) == (representation.window, representation.hop)
    assert framing.target_size == representation.hop * representation.row_width
    assert representation.quantisation_step(moments_of(representation, rows_of(config))) > 0


def test_capabilities_are_those_of_the_kind() -> None:
    found = {}
    for config in CONFIGS:
        each = representation_of(config)
        views = each.sound is each, each.notes is each, each.frames is each
        found[config] = (each.quantised, each.rows_are_samples, *views)
    assert found == {
        WAVEFORM: (True, True, True, False, False),
        FRAMES: (False, False, True, False, True),
        BINS: (False, False, True, False, True),
        NOTES: (False, False, False, True, False),
    }


def test_a_uniform_density_of_16_bit_samples_takes_16_bits() -> None:
    representation, normalisation = representation_of(WAVEFORM), Normalisation((20.0,), (1_234.0,))
    width = 65_536 * representation.quantisation_step(normalisation)
    assert representation.bits_per_sample(math.log(width), normalisation) == pytest.approx(16)
    assert representation_of(NOTES).bits_per_sample(1.0, normalisation) is None
