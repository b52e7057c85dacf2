"""The public functions on one recording: paths, lists and arrays are taken, results name themselves."""

from pathlib import Path

import numpy as np
import pytest

import wavecast
from pipeline.config.inputs import WaveformConfig
from pipeline.config.run import SamplesConfig
from pipeline.generation.options import DEFAULT_SECONDS, DEFAULT_TEMPERATURE, SamplingOptions
from pipeline.model.storage import save_model
from tests.helpers.builders import tiny_model, tone, write_sound

SOUND = WaveformConfig(sample_rate=8_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny = tiny_model(SOUND)
    save_model(tmp_path / "m", tiny.network.state_dict(), SOUND, tiny.model, tiny.normalisation, {})
    return tmp_path / "m"


def test_every_public_name_is_there() -> None:
    assert {name: getattr(wavecast, name) for name in wavecast.__all__}
    assert set(wavecast.__all__) <= set(dir(wavecast))
    with pytest.raises(AttributeError):
        wavecast.nothing  # noqa: B018


def test_a_path_a_list_and_an_array_are_one_recording(folder: Path, tmp_path: Path) -> None:
    samples = tone(2_000)
    path = write_sound(tmp_path / "a.wav", samples)
    expected = wavecast.load_model(folder).predict(samples, 8_000, 0.05)
    for recording, rate in ((path, None), (str(path), None), (samples.tolist(), 8_000)):
        found = wavecast.predict(recording, rate, 0.05, model=folder)
        assert np.array_equal(found.sound(0), expected.sound(0))
    floats = wavecast.predict((samples / 32_768).tolist(), 8_000, 0.05, model=folder)
    assert np.array_equal(floats.sound(0), expected.sound(0))


def test_models_and_results_say_what_they_are_in_a_line(folder: Path) -> None:
    model = wavecast.load_model(folder)
    assert repr(model) == f"<Model of waveform at 8000 Hz: gru, gaussian_mixture head, {folder}>"
    continued = model.predict(tone(800), 8_000, 0.05, takes=2)
    assert repr(continued) == "<Continuation of 0.05 s after 0.10 s at 8000 Hz, takes: 2>"
    score = model.score(tone(800), 8_000)
    assert repr(score).startswith("<RecordingScore of 0.10 s: ")
    assert "bits per sample" in repr(score)


def test_gaps_in_seconds_are_filled_and_the_rest_is_kept(folder: Path) -> None:
    samples = tone(4_000)
    lost = samples.copy()
    lost[1_600:1_760] = 0
    for model in (None, folder):
        filled = wavecast.conceal(lost, [(0.2, 0.22)], 8_000, model=model)
        assert np.array_equal(filled[:1_600], samples[:1_600])
        assert np.abs(filled[1_600:1_760]).max() > 500
    with pytest.raises(wavecast.UserError, match="a start and a later end"):
        wavecast.conceal(lost, [(0.3, 0.2)], 8_000)


def test_what_is_compressed_comes_back(folder: Path, tmp_path: Path) -> None:
    source = write_sound(tmp_path / "a.wav", tone(500))
    done = wavecast.compress(source, tmp_path / "a.wcz", model=folder)
    assert done.bytes_after == (tmp_path / "a.wcz").stat().st_size
    sound = wavecast.decompress(tmp_path / "a.wcz", tmp_path / "b.wav", model=wavecast.load_model(folder))
    assert (sound.sample_rate, sound.frames) == (8_000, 500)
    assert (tmp_path / "b.wav").read_bytes() == source.read_bytes()
    with pytest.raises(wavecast.UserError, match="exists already"):
        wavecast.compress(source, tmp_path / "a.wcz", model=folder)


@pytest.mark.parametrize(
    ("recording", "rate", "complaint"),
    [
        ([1.0, 2.0], None, "give the rate"),
        (["a", "b"], 8_000, "samples must be"),
        ([[1, 2], [3]], 8_000, "samples must be"),
        ([1 << 20], 8_000, "samples must be"),
        ("nowhere.wav", None, "no such file"),
        ("nowhere.wav", 8_000, "a file has its own sample rate"),
    ],
)
def test_what_is_no_recording_is_answered_in_one_line(
    folder: Path, recording: wavecast.Recording, rate: int | None, complaint: str
) -> None:
    with pytest.raises(wavecast.UserError, match=complaint) as error:
        wavecast.score(recording, rate, model=folder)
    assert "\n" not in str(error.value)


def test_one_default_holds_everywhere() -> None:
    """In Python, on the command line, in the flow, in served models and in a run's own samples."""
    import inspect

    from flows.predict import PredictRequest
    from pipeline.api.model import Model
    from pipeline.cli.commands.audio.generate import generate
    from pipeline.cli.commands.audio.predict import predict

    for function in (wavecast.predict, wavecast.generate, Model.predict, Model.generate, predict, generate):
        parameters = inspect.signature(function).parameters
        assert parameters["temperature"].default == DEFAULT_TEMPERATURE
        assert parameters["seconds"].default in (DEFAULT_SECONDS, None)  # None: without end in a stream
    fields = PredictRequest.model_fields
    assert (fields["temperature"].default, fields["seconds"].default) == (
        DEFAULT_TEMPERATURE,
        DEFAULT_SECONDS,
    )
    assert SamplesConfig().temperature == SamplingOptions().temperature == DEFAULT_TEMPERATURE
    assert SamplesConfig().seconds == DEFAULT_SECONDS
