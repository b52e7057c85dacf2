"""Continuation of a file: order of opening, and rate of the output."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline.audio.decode as decode
from pipeline.audio.decode import read_mono
from pipeline.config.inputs import WaveformConfig
from pipeline.errors import RecordingRejected
from pipeline.generation.audio_files import continue_file, generate_file
from pipeline.generation.generate import continue_samples
from pipeline.generation.options import SamplingOptions
from pipeline.model.trained_model import TrainedModel
from tests.helpers.builders import tiny_model, tone, write_sound

RATE = 8_000
ONE_TAKE = SamplingOptions()


def model() -> TrainedModel:
    return tiny_model(WaveformConfig(sample_rate=RATE))


def test_a_recording_is_rejected_by_its_header_before_a_model_is_loaded(tmp_path: Path) -> None:
    def load() -> TrainedModel:
        pytest.fail("loading a model takes longer")

    whole = write_sound(tmp_path / "a.wav", tone(1_000)).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:-100])
    with pytest.raises(RecordingRejected, match=r"cut\.wav: cut short"):
        continue_file(load, tmp_path / "cut.wav", tmp_path / "out.wav", seconds=0.1, sampling=ONE_TAKE)
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("own_rate", [False, True])
def test_a_recording_is_opened_once(own_rate: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, original = [], decode.open_recording
    monkeypatch.setattr(decode, "open_recording", lambda path: opened.append(path) or original(path))
    source = write_sound(tmp_path / "a.wav", tone(11_025, sample_rate=11_025), 11_025)
    output = tmp_path / "out.wav"
    facts = continue_file(model, source, output, seconds=0.1, sampling=ONE_TAKE, own_rate=own_rate)
    assert opened == [source]
    written, _ = read_mono(output, facts["sample_rate"])
    context, _ = read_mono(source, facts["sample_rate"])
    assert facts["sample_rate"] == (11_025 if own_rate else RATE)
    assert facts["recording_sample_rate"] == 11_025
    assert np.array_equal(written[: len(context)], context)
    expected = continue_samples(model(), read_mono(source, RATE)[0], 0.1)
    if not own_rate:
        assert np.array_equal(written, expected.sound(0))


@pytest.mark.parametrize(
    ("settings", "engine", "reason"),
    [
        ({}, "compiled", None),
        ({"cell": "mingru"}, "torch", "the cell mingru has no compiled form"),
        ({"convolutions": [[6, 4, 2]]}, "torch", "convolutions have no compiled form"),
    ],
)
def test_the_facts_name_the_engine_that_generated(
    settings: dict[str, Any], engine: str, reason: str | None, tmp_path: Path
) -> None:
    model = tiny_model(WaveformConfig(sample_rate=RATE), **settings)
    facts = generate_file(model, tmp_path / "out.wav", seconds=0.05, sampling=ONE_TAKE)
    assert (facts["engine"], facts["engine_reason"]) == (engine, reason)
    assert (model.compiled is not None) == (engine == "compiled")
