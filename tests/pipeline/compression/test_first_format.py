"""Integers are restored exactly, and take as many bits as the model's likelihood."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pipeline.compression.first_format import Coder, fingerprint
from pipeline.compression.network_mixture import Alphabet, check_codes, exact_arithmetic
from pipeline.config.inputs import PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.errors import UserError
from pipeline.evaluation.nll import score
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import Samples, join_rows, noise, tiny_model, tone
from tests.helpers.networks.compiled_functions import change_last_digits

pytestmark = pytest.mark.slow  # files of this format are only read, no longer written

WINDOW = WaveformConfig(sample_rate=8_000, window=20, hop=7)
MODELS = {
    "diagonal": tiny_model(WINDOW),
    "full": tiny_model(WINDOW, covariance="full"),
    "autoregressive": tiny_model(WINDOW, covariance="autoregressive"),
    "layers": tiny_model(WINDOW, cell="lstm", num_layers=2, residual=True, companding=True),
    "convolutions": tiny_model(WINDOW, convolutions=[[8, 3, 2]]),
    "encoder-decoder": tiny_model(WINDOW, architecture="encoder-decoder", decode_steps=4, attention_steps=2),
}
any_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def round_trip(model: TrainedModel, integers: NDArray[Any], depth: int = 16) -> int:
    """Check that the integers come back; return the bits that they took."""
    alphabet, places = Alphabet.of(model, depth), integers.astype(np.int64) + (1 << (depth - 1))
    with exact_arithmetic(model):
        words = Coder(model, alphabet).encode(places)
        back = Coder(model, alphabet).decode(words, len(places))
    assert np.array_equal(back, places)
    return 8 * len(words)


def exact_bits(model: TrainedModel, samples: Samples) -> float:
    """Return the bits that the evaluation computes for the samples."""
    data = join_rows([samples[:, None]])
    found = score(model.network, data, model.framing, model.normaliser(), exact=True).bits
    assert found is not None
    return float(found.sum())


def test_convolutions_and_encoder_decoders_go_through_torch_and_the_others_do_not() -> None:
    in_torch = [name for name, model in MODELS.items() if model.compiled is None]
    assert in_torch == ["convolutions", "encoder-decoder"]


@any_model
@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 400])
def test_sequences_of_any_length_come_back(model: TrainedModel, count: int) -> None:
    round_trip(model, tone(count))


@any_model
def test_the_least_likely_samples_are_restored(model: TrainedModel) -> None:
    square = np.where(np.arange(60) // 3 % 2, 32_767, -32_768)
    impulse = np.where(np.arange(60) == 30, -32_768, 0)
    round_trip(model, np.concatenate([square, impulse, noise(60, std=20_000)]))


@settings(max_examples=25)
@given(arrays(np.int16, st.integers(0, 50)), st.sampled_from(["diagonal", "full", "autoregressive"]))
def test_any_integers_come_back(integers: Samples, name: str) -> None:
    round_trip(MODELS[name], integers)


@settings(max_examples=25)
@given(arrays(np.int8, st.integers(0, 50)))
def test_any_eight_bit_integers_come_back_and_never_take_more_than_their_decisions(
    integers: NDArray[np.int8],
) -> None:
    assert round_trip(MODELS["diagonal"], integers, depth=8) <= 8 * 24 * len(integers) + 64


@any_model
def test_blocks_of_whole_steps_take_the_same_decisions_as_one_block(model: TrainedModel) -> None:
    places = tone(20 * model.framing.hop).astype(np.int64) + 32_768
    alphabet, split = Alphabet.of(model, 16), 6 * model.framing.hop
    with exact_arithmetic(model):
        whole = Coder(model, alphabet).decisions(places)[0]
        coder = Coder(model, alphabet)
        parts = [coder.decisions(part)[0] for part in (places[:split], places[split:])]
        assert np.array_equal(whole, np.concatenate(parts))


@any_model
@pytest.mark.parametrize("samples", [tone(3_000), noise(3_000), noise(3_000, std=3.0)])
def test_size_is_the_likelihood(model: TrainedModel, samples: Samples) -> None:
    assert round_trip(model, samples) == pytest.approx(exact_bits(model, samples), rel=1e-3, abs=64)


@any_model
def test_the_code_length_of_decisions_is_the_likelihood_to_six_digits(model: TrainedModel) -> None:
    samples = tone(1_001)
    with exact_arithmetic(model):
        coder = Coder(model, Alphabet.of(model, 16))
        probabilities, decisions = coder.decisions(samples.astype(np.int64) + 32_768)
    taken = np.where(decisions == 1, probabilities, 1 - probabilities)
    # What is left are the network's own float32 digits.
    assert -np.log2(taken).sum() == pytest.approx(exact_bits(model, samples), rel=1e-5)


def test_silence_takes_almost_no_bits_after_training_on_it() -> None:
    model = tiny_model(WINDOW)
    head: Any = model.network.head
    with torch.no_grad():
        head.projection.weight.zero_()
        _, mean, raw = head.projection.bias.split(head.sizes)
        mean.fill_(-0.01 / 0.05)  # where zero lies
        raw.fill_(-30.0)
    assert round_trip(model, np.zeros(5_000, np.int16)) <= 64
    click = np.where(np.arange(5_000) == 2_500, 3_000, 0)
    assert round_trip(model, click) <= 64 + 16 * 24


@any_model
def test_the_fingerprint_is_always_the_same_and_another_models_is_not(model: TrainedModel) -> None:
    assert fingerprint(model) == fingerprint(model)
    others = [fingerprint(other) for other in MODELS.values() if other is not model]
    assert fingerprint(model) not in others


def test_the_fingerprint_shows_a_change_in_the_last_digit_of_what_is_projected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = MODELS["diagonal"]
    before = fingerprint(model)
    change_last_digits(monkeypatch)
    assert fingerprint(model) != before


def test_models_of_spectrograms_and_notes_are_rejected_in_one_line() -> None:
    spectrogram = SpectrogramConfig(kind="spectrogram", sample_rate=8_000)
    for config in (spectrogram, PianoRollConfig(kind="piano-roll")):
        head = "bernoulli" if isinstance(config, PianoRollConfig) else "gaussian_mixture"
        with pytest.raises(UserError, match="no samples but"):
            check_codes(tiny_model(config, head=head))


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with exact_arithmetic(MODELS["convolutions"]):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["diagonal", "full", "autoregressive"])
def test_speech_takes_the_evaluated_bits(shared_data: Path, covariance: str) -> None:
    import soundfile

    model = tiny_model(covariance=covariance)
    path = min((shared_data / "speech" / "librispeech_train-clean-100").rglob("*.flac"))
    samples = soundfile.read(path, dtype="int16", frames=60_000)[0]
    assert round_trip(model, samples) == pytest.approx(exact_bits(model, samples), rel=0.01)
