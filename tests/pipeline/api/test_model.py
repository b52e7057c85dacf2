"""In a program, a model does what the command line does, with arrays of any common kind."""

from pathlib import Path

import numpy as np
import pytest
import soxr

import pipeline
import wavecast
from pipeline.api.model import Model
from pipeline.audio.decode import to_int16
from pipeline.config.inputs import PianoRollConfig, WaveformConfig
from pipeline.errors import UserError
from pipeline.evaluation.nll import score
from pipeline.generation.continuation import JoinOptions
from pipeline.generation.generate import continue_samples
from pipeline.generation.options import SamplingOptions
from pipeline.model.storage import save_model
from tests.helpers.builders import join_rows, tiny_model, tone

SOUND = WaveformConfig(sample_rate=8_000)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    tiny = tiny_model(SOUND)
    save_model(tmp_path, tiny.network.state_dict(), SOUND, tiny.model, tiny.normalisation, {})
    return pipeline.load_model(tmp_path)


def test_predict_continues_as_the_commands_do(model: Model) -> None:
    context = tone(2_000)
    found = model.predict(context, 8_000, 0.1, seed=3, join=JoinOptions(trim_end_s=0.05))
    expected = continue_samples(tiny_model(SOUND), context[:1_600], 0.1, SamplingOptions(seed=3))
    assert np.array_equal(found.added, expected.added)
    assert model.sample_rate == found.sample_rate == 8_000
    assert len(model.predict(context, 8_000, 0.1, takes=3).seeds) == 3


def test_the_mode_has_the_command_lines_name_and_its_earlier_one(model: Model) -> None:
    context, options = tone(2_000), SamplingOptions(mode="likely")
    expected = continue_samples(tiny_model(SOUND), context, 0.1, options).added
    assert np.array_equal(model.predict(context, 8_000, 0.1, mode="likely").added, expected)
    assert np.array_equal(model.predict(context, 8_000, 0.1, kind="likely").added, expected)
    assert np.array_equal(wavecast.predict(context, 8_000, 0.1, model=model, kind="likely").added, expected)


def test_every_common_kind_of_array_gives_the_same_result(model: Model) -> None:
    context = tone(2_000)
    expected = model.predict(context, 8_000, 0.05)
    stereo = np.stack([context, context], 1)
    for same in (context / 32_768, (context / 32_768).astype(np.float32), stereo, stereo / 32_768):
        assert np.array_equal(model.predict(same, 8_000, 0.05).sound(0), expected.sound(0))


def test_another_rate_is_converted(model: Model) -> None:
    there = tone(11_025, sample_rate=11_025)
    found = model.predict(there, 11_025, 0.05)
    assert np.array_equal(found.context, to_int16(soxr.resample(there / np.float32(32_768), 11_025, 8_000)))


def test_generate_begins_from_nothing(model: Model) -> None:
    made = model.generate(0.2, takes=2)
    assert made.added.shape == (2, 1_600)
    assert made.context.shape == (0,)


def test_scores_are_those_of_evaluation(model: Model) -> None:
    context, trained = tone(3_000), tiny_model(SOUND)
    found = model.score(context, 8_000, window_s=0.05)
    data = join_rows([context[:, None]])
    expected = score(trained.network, data, trained.framing, trained.normaliser(), exact=True)
    assert found.bits_per_sample == pytest.approx(expected.bits_per_sample, abs=1e-5)
    assert found.nats_per_step == pytest.approx(expected.nats_per_step, rel=1e-5)


@pytest.mark.parametrize(
    ("samples", "rate"),
    [
        (np.zeros(9, np.int32), 8_000),
        (np.zeros((2, 3, 4)), 8_000),
        (np.zeros(9), 0),
        (np.full(9, np.nan), 8_000),
    ],
)
def test_what_is_no_sound_is_refused(model: Model, samples: np.ndarray, rate: int) -> None:
    with pytest.raises(UserError):
        model.predict(samples, rate, 0.1)


def test_a_model_of_notes_has_no_sound() -> None:
    with pytest.raises(UserError, match="MIDI"):
        Model(tiny_model(PianoRollConfig(kind="piano-roll"), head="nade")).predict(tone(100), 8_000, 1.0)
