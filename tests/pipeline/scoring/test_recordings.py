"""The NLL over time adds up to the total score, independent of the division into blocks."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.adaptive.cells import integer_cells
from pipeline.api.model import Model
from pipeline.audio.decode import read_mono
from pipeline.coding.layout import layout_of, layout_of_samples
from pipeline.compression.mixed_coder import MixedCoder
from pipeline.compression.network_mixture import exact_arithmetic
from pipeline.config.inputs import InputConfig, PianoRollConfig, SpectrogramConfig, WaveformConfig
from pipeline.errors import RecordingRejected, UserError
from pipeline.evaluation.nll import score
from pipeline.model.trained_model import TrainedModel
from pipeline.scoring.plot import score_with_picture
from pipeline.scoring.recordings import score_samples, whole_window_s
from pipeline.scoring.steps import step_scores
from pipeline.scoring.windows import RecordingScore, overall
from tests.helpers.builders import adaptive_model, join_rows, noise, tiny_model, tone, write_sound

RATE = 8_000
Samples = NDArray[np.int16]
WAVEFORM = WaveformConfig(sample_rate=RATE)
FRAMES = SpectrogramConfig(kind="spectrogram", sample_rate=RATE, n_mels=20)
MODELS: dict[str, tuple[InputConfig, dict[str, Any]]] = {
    "diagonal": (WAVEFORM, {}),
    "full": (WAVEFORM, {"covariance": "full"}),
    "autoregressive": (WAVEFORM, {"covariance": "autoregressive", "companding": True, "num_layers": 2}),
    "cells of the paper": (WAVEFORM, {"cell": "chung2014-lstm"}),
    "convolutions": (WAVEFORM, {"convolutions": [[8, 4, 2], [8, 3, 2]]}),
    "encoder-decoder": (WAVEFORM, {"architecture": "encoder-decoder", "decode_steps": 7}),
    "frames": (FRAMES, {}),
}


def model_of(kind: str) -> TrainedModel:
    config, settings = MODELS[kind]
    return tiny_model(config, **settings)


def cut(samples: Samples, length: int) -> Iterator[Samples]:
    return (samples[begin : begin + length] for begin in range(0, len(samples), length))


def sound(count: int = 9_137) -> Samples:
    return tone(count, 3, RATE)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("block", [333, 100_000])
def test_what_stretches_add_up_to_is_the_score_of_the_whole(kind: str, block: int) -> None:
    model = model_of(kind)
    found = score_samples(model, cut(sound(), block), 0.1)
    rows = np.concatenate(list(model.audio.rows_of_blocks([sound()])))
    expected = score(model.network, join_rows([rows]), model.framing, model.normaliser(), exact=True)
    assert found.nats_per_step == pytest.approx(expected.nats_per_step, rel=2e-5, abs=1e-5)
    assert found.seconds == len(sound()) / RATE
    assert found.values.sum() == float(expected.values.sum())
    assert np.average(found.nats_per_step_series, weights=found.values) == pytest.approx(found.nats_per_step)
    if kind == "frames":
        assert found.bits_per_sample is None
        assert found.bits_per_sample_series is None
        assert found.bits_with_experts is None
    else:
        assert found.bits_per_sample == pytest.approx(expected.bits_per_sample, abs=1e-5)
        assert found.bits_per_sample_series is not None
        bits = np.average(found.bits_per_sample_series, weights=found.values)
        assert bits == pytest.approx(found.bits_per_sample)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("chunk_steps", [1, 7, 100])
def test_chunks_and_blocks_change_nothing(kind: str, chunk_steps: int) -> None:
    model, samples = model_of(kind), sound(2_345)
    rows = np.concatenate(list(model.audio.rows_of_blocks([samples])))

    def steps(blocks: Iterator[Samples], length: int) -> Iterator[NDArray[np.float64]]:
        for found in step_scores(model, blocks, length):
            bits = np.zeros(len(found.nats)) if found.bits is None else found.bits
            yield np.stack([found.nats, bits, found.values])

    whole = np.concatenate(list(steps(iter([rows]), 10_000)), 1)
    parts = np.concatenate(list(steps(cut(rows, 41), chunk_steps)), 1)
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-4)
    assert whole.shape[1] == model.framing.steps(len(rows))


@pytest.mark.parametrize("count", [1, 9, 10, 11, 800, 801])
def test_recordings_of_any_length_have_a_last_stretch_of_what_is_left(count: int) -> None:
    model = tiny_model(WAVEFORM)
    found = score_samples(model, [noise(count)], 0.05)
    assert found.window_s == 0.05
    assert found.values.tolist() == [400] * (count // 400) + [count % 400] * (count % 400 > 0)
    assert found.start_s.tolist() == pytest.approx([0.05 * n for n in range(len(found.values))])
    assert np.isfinite(found.series).all()


@pytest.mark.parametrize(("asked_s", "given_s"), [(0.1, 0.1), (1e-9, 0.00125), (0.0044, 0.005), (2.0, 2.0)])
def test_a_stretch_is_a_whole_number_of_steps(asked_s: float, given_s: float) -> None:
    model = tiny_model(WAVEFORM)
    assert whole_window_s(model, asked_s) == given_s
    assert score_samples(model, [noise(500)], asked_s).window_s == given_s


def test_an_anomaly_has_the_highest_nll_at_its_time() -> None:
    model, samples = tiny_model(WAVEFORM), noise(5 * RATE, std=300.0)
    samples[2 * RATE : 2 * RATE + RATE // 2] = noise(RATE // 2, 1, std=9_000.0)
    found = score_samples(model, cut(samples, 1_000), 0.1)
    anomalous = (found.start_s >= 1.999) & (found.start_s < 2.499)
    assert anomalous.sum() == 5
    for series in (found.series, found.nats_per_step_series):
        assert series[anomalous].min() > series[~anomalous].max()


def test_several_recordings_are_weighed_by_their_samples() -> None:
    model = tiny_model(WAVEFORM)
    sounds = [noise(1_234, 0), tone(400, 1), noise(3, 2, std=9_000.0)]
    nats, bits, with_experts = overall([score_samples(model, [samples]) for samples in sounds])
    expected = score(
        model.network, join_rows([x[:, None] for x in sounds]), model.framing, model.normaliser(), exact=True
    )
    assert nats == pytest.approx(expected.nats_per_step, rel=1e-5)
    assert bits == pytest.approx(expected.bits_per_sample, abs=1e-5)
    lengths = [len(samples) for samples in sounds]
    each = [score_samples(model, [samples]).bits_with_experts for samples in sounds]
    assert with_experts == pytest.approx(np.average(np.array(each, float), weights=lengths))


@pytest.mark.parametrize("kind", ["diagonal", "full", "autoregressive", "encoder-decoder"])
def test_bits_with_experts_are_those_that_compression_takes(kind: str) -> None:
    model, samples = model_of(kind), sound(4_321) // 3 + noise(4_321, std=100.0)
    found = score_samples(model, cut(samples, 1_000)).bits_with_experts
    with exact_arithmetic(model):
        code = MixedCoder(integer_cells(16), model=model).encode(samples.astype(np.int64) + 32_768)
    assert found == pytest.approx(8 * len(code) / len(samples), abs=2e-3)


@pytest.mark.parametrize("kind", ["diagonal", "full", "autoregressive", "adaptive"])
@pytest.mark.parametrize("unused", [0, 5])
def test_values_that_never_occur_get_no_probability(kind: str, unused: int) -> None:
    """The figure is that of compression, with the bits of the set of values."""
    model = adaptive_model(WAVEFORM) if kind == "adaptive" else model_of(kind)
    steps = np.rint(1.7 * np.rint((sound(9_000) // 8 + noise(9_000, std=40.0)) / 2**unused))
    samples = steps.astype(np.int16) << unused
    layout = layout_of_samples(samples)
    assert layout.packed
    found = score_samples(model, cut(samples, 1_000), layout=layout)
    with exact_arithmetic(model):
        code = MixedCoder(layout.cells, layout.step, model).encode(layout.places(samples))
    figure = found.bits_per_sample if kind == "adaptive" else found.bits_with_experts
    assert figure == pytest.approx(8 * (len(code) + len(layout.packed)) / len(samples), abs=3e-3)
    plain = score_samples(model, cut(samples, 1_000), layout=layout_of(16, unused, b""))
    assert plain.bits_per_sample is not None
    assert found.bits_per_sample is not None
    assert found.bits_per_sample < plain.bits_per_sample - 0.6


def test_bits_that_no_sample_uses_are_not_coded(tmp_path: Path) -> None:
    """Sounds of 8 bits in 16: what is decoded, resampled or given as an array is scored alike."""
    samples = noise(3_000, std=20.0) << 8
    model = tiny_model(WAVEFORM)
    found = score_with_picture(model, write_sound(tmp_path / "a.wav", samples, RATE), 0.1)
    whole = score_samples(model, [samples])
    assert found.bits_per_sample is not None
    assert whole.bits_per_sample is not None
    assert whole.bits_per_sample - found.bits_per_sample == pytest.approx(8, abs=0.3)
    assert found.bits_with_experts is not None
    assert found.bits_with_experts < 7
    with exact_arithmetic(model):
        code = MixedCoder(integer_cells(8), 256.0, model).encode((samples >> 8).astype(np.int64) + 128)
    assert found.bits_with_experts == pytest.approx(8 * len(code) / len(samples), abs=0.01)
    assert Model(model).score(samples, RATE).bits_per_sample == found.bits_per_sample


def test_memory_does_not_grow_with_the_recording() -> None:
    model = tiny_model(WAVEFORM)
    score_samples(model, [noise(RATE)])  # what is made once: imports, compiled code

    def peak_bytes(seconds: int) -> int:
        tracemalloc.start()
        try:
            score_samples(model, (noise(RATE, second) for second in range(seconds)), 1.0)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    short, long = peak_bytes(6), peak_bytes(60)
    assert long < short + 50_000  # the samples that were added are 864,000 bytes


def test_a_recording_at_another_rate_is_converted(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "fast.wav", tone(22_050, 1, 22_050), 22_050)
    model = tiny_model(WAVEFORM)
    found = score_with_picture(model, path, 0.1)
    samples, _ = read_mono(path, RATE)
    same = score_samples(model, [samples], 0.1)
    assert found.seconds == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(found.series, same.series, rtol=1e-9)


@pytest.mark.parametrize("window_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_window_is_longer_than_nothing(window_s: float) -> None:
    with pytest.raises(UserError, match="longer than 0"):
        score_samples(tiny_model(WAVEFORM), [noise(100)], window_s)


def test_no_samples_and_notes_are_rejected() -> None:
    with pytest.raises(RecordingRejected, match="no samples"):
        score_samples(tiny_model(WAVEFORM), [])
    with pytest.raises(UserError, match="not sound"):
        score_samples(tiny_model(PianoRollConfig(kind="piano-roll"), head="bernoulli"), [noise(100)])


def test_a_likelihood_that_is_not_finite_is_rejected_and_never_a_figure() -> None:
    model = tiny_model(WAVEFORM)
    with torch.no_grad():
        dict(model.network.named_parameters())["head.projection.bias"].fill_(float("nan"))
    with pytest.raises(RecordingRejected, match=r"no finite likelihood at 0\.00 s"):
        score_samples(model, [noise(1_000)])


def test_bits_are_the_figure_where_there_are_any() -> None:
    bits: RecordingScore = score_samples(tiny_model(WAVEFORM), [noise(1_000)])
    nats = score_samples(tiny_model(FRAMES), [noise(1_000)])
    assert (bits.figure, nats.figure) == ("bits_per_sample", "nats_per_step")
    assert bits.series is bits.bits_per_sample_series
    assert nats.series is nats.nats_per_step_series
