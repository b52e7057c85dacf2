"""Integers are restored exactly, and take as many bits as the mixture of network and experts says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.adaptive.cells import Cells, cells_of, integer_cells
from models.adaptive.code_length import AdaptivePredictor
from pipeline.compression.mixed_coder import MixedCoder, fingerprint
from pipeline.compression.network_mixture import exact_arithmetic
from pipeline.config.inputs import WaveformConfig
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import Samples, adaptive_model, noise, tiny_model, tone
from tests.helpers.networks.compiled_functions import change_last_digits

WINDOW = WaveformConfig(sample_rate=8_000, window=20, hop=7)
MODELS: dict[str, TrainedModel | None] = {
    "none": None,
    "diagonal": tiny_model(WINDOW),
    "full": tiny_model(WINDOW, covariance="full"),
    "autoregressive": tiny_model(WINDOW, covariance="autoregressive"),
    "adaptive": adaptive_model(WINDOW),
    "encoder-decoder": tiny_model(WINDOW, architecture="encoder-decoder", decode_steps=4),
}
any_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def hop_of(model: TrainedModel | None) -> int:
    return 7 if model is None else model.framing.hop


def round_trip(model: TrainedModel | None, integers: NDArray[Any], depth: int = 16) -> int:
    """Check that the integers come back; return the bits that they took."""
    places = integers.astype(np.int64) + (1 << (depth - 1))
    return round_trip_of(model, places, integer_cells(depth), 2.0 ** (16 - depth))


def round_trip_of(
    model: TrainedModel | None, places: NDArray[np.int64], cells: Cells, step: float = 1.0
) -> int:
    """Check that the places come back in blocks of whole steps; return the bits that they took."""
    blocks = np.split(places, [3 * hop_of(model), 40 * hop_of(model)]) if len(places) > 300 else [places]
    encoder, decoder = MixedCoder(cells, step, model), MixedCoder(cells, step, model)
    taken = 0
    for block in blocks:
        if model is None:
            code = encoder.encode(block)
            back = decoder.decode(code, len(block))
        else:
            with exact_arithmetic(model):
                code = encoder.encode(block)
                back = decoder.decode(code, len(block))
        assert np.array_equal(back, block)
        taken += 8 * len(code)
    return taken


@any_model
@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 400])
def test_sequences_of_any_length_come_back(model: TrainedModel | None, count: int) -> None:
    round_trip(model, tone(count))


@any_model
def test_the_least_likely_samples_are_restored(model: TrainedModel | None) -> None:
    square = np.where(np.arange(60) // 3 % 2, 32_767, -32_768)
    impulse = np.where(np.arange(60) == 30, -32_768, 0)
    round_trip(model, np.concatenate([square, impulse, noise(60, std=20_000)]))


@settings(max_examples=25)
@given(arrays(np.int16, st.integers(0, 50)), st.sampled_from(list(MODELS)))
def test_any_integers_come_back(integers: Samples, name: str) -> None:
    round_trip(MODELS[name], integers)


@settings(max_examples=25)
@given(st.data(), st.integers(1, 15), st.sampled_from(["none", "diagonal"]))
def test_integers_of_any_depth_come_back(data: st.DataObject, depth: int, name: str) -> None:
    elements = st.integers(-(1 << (depth - 1)), (1 << (depth - 1)) - 1)
    round_trip(MODELS[name], data.draw(arrays(np.int64, st.integers(0, 30), elements=elements)), depth)


@pytest.mark.parametrize("samples", [tone(3_000), noise(3_000), noise(3_000, std=3.0)])
@pytest.mark.parametrize("depth", [16, 10])
def test_without_a_network_the_size_is_the_code_length(samples: Samples, depth: int) -> None:
    integers = samples.astype(np.int64) >> (16 - depth)
    expected = AdaptivePredictor(integer_cells(depth)).bits(integers).sum()
    assert round_trip(None, integers, depth) == pytest.approx(expected, rel=1e-4, abs=32)


@settings(max_examples=25)
@given(
    st.data(), st.sets(st.integers(-32_768, 32_767), min_size=1, max_size=40), st.sampled_from(list(MODELS))
)
def test_any_values_come_back(data: st.DataObject, values: set[int], name: str) -> None:
    places = data.draw(arrays(np.int64, st.integers(0, 30), elements=st.integers(0, len(values) - 1)))
    round_trip_of(MODELS[name], places, cells_of(sorted(values)))


def test_with_values_that_never_occur_the_size_is_the_code_length() -> None:
    """Every third integer is missing, and the size is smaller by nearly the logarithm of what is left."""
    integers = np.rint(1.5 * np.rint(tone(4_000) // 2 + noise(4_000, std=200.0))).astype(np.int64)
    cells = cells_of(np.rint(1.5 * np.arange(-20_000, 20_001)))
    expected = AdaptivePredictor(cells).bits(integers).sum()
    found = round_trip_of(None, np.searchsorted(cells.values, integers), cells)
    assert found == pytest.approx(expected, rel=1e-4, abs=32)
    assert found < round_trip(None, integers) - 0.9 * np.log2(1.5) * 4_000


def test_one_value_takes_no_bits() -> None:
    for model in MODELS.values():
        assert round_trip_of(model, np.zeros(400, np.int64), cells_of([7])) == 0


def test_a_useless_network_costs_next_to_nothing() -> None:
    samples = tone(3_000) // 2 + noise(3_000, std=100.0)
    alone = round_trip(None, samples)
    assert round_trip(MODELS["diagonal"], samples) < alone + 200


def test_any_bytes_are_decoded_to_integers_of_the_alphabet() -> None:
    for name in ("none", "diagonal"):
        for data in (b"", b"\xff" * 100, bytes(range(256))):
            found = MixedCoder(integer_cells(12), 16.0, MODELS[name]).decode(data, 200)
            assert found.min() >= 0
            assert found.max() < 1 << 12


@any_model
def test_the_fingerprint_is_always_the_same_and_another_models_is_not(model: TrainedModel | None) -> None:
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
