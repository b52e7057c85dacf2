"""Recording and continuation join at the seam, at any rate, and the nearest take comes first."""

import numpy as np
import pytest

from pipeline.audio.decode import Samples
from pipeline.config.inputs import SpectrogramConfig, WaveformConfig
from pipeline.errors import UserError
from pipeline.evaluation.nll import score
from pipeline.generation.context import ContextRows
from pipeline.generation.continuation import JoinOptions, crossfade
from pipeline.generation.generate import continue_samples
from pipeline.generation.options import SamplingOptions
from pipeline.generation.ranking import continuation_nll, spectral_distance_db
from tests.helpers.builders import join_rows, tiny_model, tone

RATE = 8_000
SOUND = WaveformConfig(sample_rate=RATE)
FRAMES = SpectrogramConfig(kind="spectrogram", sample_rate=RATE, n_mels=20, window_length=200, hop_length=80)


def bits(samples: Samples) -> bytes:
    return samples.tobytes()


def test_the_recording_is_unchanged_and_the_takes_follow() -> None:
    model, context = tiny_model(SOUND), tone(1_003)
    found = continue_samples(model, context, 0.1, SamplingOptions(takes=3))
    assert bits(found.context) == bits(context)
    assert found.added.shape == (3, 800)
    assert found.seam_s == 1_003 / RATE
    assert bits(found.sound(1)) == bits(context) + bits(found.added[1])


def test_cut_and_context_have_the_given_lengths() -> None:
    model, context = tiny_model(SOUND), tone(4_000)
    cut = continue_samples(model, context, 0.1, SamplingOptions(), JoinOptions(trim_end_s=0.1))
    assert bits(cut.context) == bits(context[:3_200])
    assert bits(cut.added) == bits(continue_samples(model, context[:3_200], 0.1).added)
    short = continue_samples(model, context, 0.1, SamplingOptions(), JoinOptions(context_s=0.05))
    assert bits(short.context) == bits(context)
    assert bits(short.added) == bits(continue_samples(model, context[3_600:], 0.1).added)


def test_a_crossfade_goes_from_the_recording_into_the_take() -> None:
    model, context = tiny_model(SOUND), tone(2_000)
    found = continue_samples(model, context, 0.1, SamplingOptions(takes=2), JoinOptions(crossfade_s=0.02))
    takes = [
        continue_samples(model, context[:1_840], 0.12, SamplingOptions(seed=seed)).added[0] for seed in (0, 1)
    ]
    assert bits(found.context) == bits(context[:1_840])
    for seed, added in zip(found.seeds, found.added, strict=True):
        assert bits(added[160:]) == bits(takes[seed][160:])
        assert abs(int(added[0]) - int(context[1_840])) <= 2
        assert abs(int(added[159]) - int(takes[seed][159])) <= 2
    equal = tone(50)
    assert bits(crossfade(equal, equal)) == bits(equal)


@pytest.mark.parametrize("config", [SOUND, FRAMES], ids=lambda config: config.kind)
def test_takes_are_ranked_by_their_distance_to_the_recording(
    config: WaveformConfig | SpectrogramConfig,
) -> None:
    model, context = tiny_model(config), tone(4_000)
    found = continue_samples(model, context, 0.2, SamplingOptions(takes=4, seed=3))
    assert found.distance_db == spectral_distance_db(context, found.added, RATE).tolist()
    assert found.distance_db == sorted(found.distance_db)
    assert len(found.nats_per_step or []) == 4
    assert sorted(found.seeds) == [3, 4, 5, 6]
    if config is SOUND:  # each can be drawn again by its seed
        alone = continue_samples(model, context, 0.2, SamplingOptions(seed=found.seeds[0]))
        assert bits(alone.added[0]) == bits(found.added[0])
        assert alone.nats_per_step is None
        assert alone.distance_db == found.distance_db[:1]


def test_takes_without_context_are_in_the_order_of_their_seeds() -> None:
    found = continue_samples(tiny_model(SOUND), np.zeros(0, np.int16), 0.1, SamplingOptions(takes=3, seed=5))
    assert found.seeds == [5, 6, 7]
    assert found.distance_db is None


def test_the_likelihood_of_a_take_is_that_of_scoring_both_together() -> None:
    model = tiny_model(SOUND, cell="lstm")
    context, take = tone(2_000)[:, None], tone(900, 3)[:, None]
    nats = continuation_nll(model, ContextRows.of(context), take[None])
    both = [
        score(model.network, join_rows([rows]), model.framing, model.normaliser(), exact=False)
        for rows in (np.concatenate([context, take]), context)
    ]
    assert nats[0] * 90 == pytest.approx(float(both[0].nats - both[1].nats), rel=1e-5)


@pytest.mark.parametrize("own", [4_000, 11_025, 44_100])
def test_at_the_recordings_own_rate_the_recording_is_untouched_and_pitch_is_kept(own: int) -> None:
    """A continuation that repeats a tone of 440 Hz still has 440 Hz at the other rate."""
    model = tiny_model(SOUND)
    found = continue_samples(model, tone(RATE), 0.5, SamplingOptions())
    time = np.arange(RATE // 2) / RATE
    found.added[0] = (8_000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    original = tone(own, sample_rate=own)
    there = found.at_rate(original, own)
    assert there.sample_rate == own
    assert bits(there.context) == bits(original)
    assert there.added.shape == (1, own // 2)
    spectrum = np.abs(np.fft.rfft(there.added[0] * np.hanning(own // 2)))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=4)
    assert there.added[0].astype(float).std() == pytest.approx(8_000 / np.sqrt(2), rel=0.05)


def test_an_empty_context_is_a_beginning() -> None:
    found = continue_samples(
        tiny_model(SOUND), np.zeros(0, np.int16), 0.1, SamplingOptions(), JoinOptions(crossfade_s=0.01)
    )
    assert found.context.shape == (0,)
    assert found.added.shape == (1, 800)


@pytest.mark.parametrize(
    ("seconds", "join"),
    [
        (0.0, JoinOptions()),
        (1.0, JoinOptions(trim_end_s=1.0)),
        (1.0, JoinOptions(trim_end_s=0.1, crossfade_s=0.2)),
    ],
)
def test_what_cannot_be_joined_is_rejected(seconds: float, join: JoinOptions) -> None:
    with pytest.raises(UserError):
        continue_samples(tiny_model(SOUND), tone(2_000), seconds, SamplingOptions(), join)


@pytest.mark.parametrize("wish", [{"trim_end_s": -1.0}, {"context_s": 0.0}, {"crossfade_s": -0.1}])
def test_invalid_joins_are_rejected(wish: dict[str, float]) -> None:
    with pytest.raises(UserError):
        JoinOptions(**wish)
