"""Each fault of a recording is found where it was put, and nothing is found in a clean one."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.diagnostics.findings import Examination, share
from pipeline.diagnostics.recording import examine_recording
from pipeline.diagnostics.signal_statistics import SoundFigures, SoundMeter
from tests.helpers.builders import write_sound

RATE = 16_000
Floats = NDArray[np.float64]


def clean(seconds: float = 1.5, sample_rate: int = RATE, seed: int = 0) -> Floats:
    """Noise and a few tones, with room above and below."""
    count = round(seconds * sample_rate)
    time_s = np.arange(count) / sample_rate
    tones = sum(0.1 * np.sin(2 * np.pi * hz * time_s) for hz in (180, 410, 1300))
    return np.asarray(tones + 0.03 * np.random.default_rng(seed).standard_normal(count))


def names(examined: Examination) -> set[str]:
    """Kinds of the findings that are not fine."""
    return {finding.name for finding in examined.findings if finding.severity != "fine"}


def upsampled() -> Floats:
    import soxr

    return np.asarray(soxr.resample(clean(sample_rate=8000), 8000, RATE))


def with_gaps() -> Floats:
    sound = clean()
    for begin in range(4000, 16_000, 3000):
        sound[begin : begin + 160] = 0
    return sound


def hum() -> Floats:
    sound = clean()
    return np.asarray(sound + 0.4 * np.sin(2 * np.pi * 50 * np.arange(len(sound)) / RATE))


def quarter_silent() -> Floats:
    sound = clean()
    return np.concatenate([sound[: len(sound) // 4], np.zeros(len(sound))])


FAULTS: dict[str, Callable[[], Floats]] = {
    "clipped": lambda: (4 * clean()).clip(-0.8, 0.8),
    "offset": lambda: clean() + 0.2,
    "drop-outs": with_gaps,
    "hum": hum,
    "silence": quarter_silent,
    "quiet": lambda: np.round(3 * clean() / clean().max()) / 32_768,
    "silent": lambda: np.zeros(RATE),
    "constant": lambda: np.full(RATE, 0.25),
    "narrow": upsampled,
    "short": lambda: clean(0.05),
    "anti-phase": lambda: np.stack([clean(), -clean()], 1),
    "cancelling": lambda: np.stack([clean(), clean(seed=1) * 0.05 - clean() * 0.8], 1),
    "silent-channel": lambda: np.stack([clean(), 0 * clean()], 1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_no_other(name: str, tmp_path: Path) -> None:
    path = write_sound(tmp_path / f"{name}.wav", FAULTS[name](), RATE)
    examined = examine_recording(path, RATE)
    assert names(examined) == {name}
    assert all(finding.what and finding.advice for finding in examined.findings if finding.name == name)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "PCM_U8", "ULAW"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_nothing_is_wrong_with_a_clean_recording(subtype: str, rate: int, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "clean.wav", clean(sample_rate=rate), rate, subtype)
    examined = examine_recording(path, RATE)
    assert names(examined) == set()
    assert not examined.has_problem
    assert examined.figures["seconds"] == pytest.approx(1.5)


@pytest.mark.parametrize("frequency_hz", [20, 50, 441])
def test_the_flat_tip_of_a_slow_wave_is_not_clipping(frequency_hz: float, tmp_path: Path) -> None:
    wave = np.sin(2 * np.pi * frequency_hz * np.arange(2 * 44_100) / 44_100)
    path = write_sound(tmp_path / "sine.wav", wave * 32_767 / 32_768, 44_100)
    assert "clipped" not in names(examine_recording(path, RATE))
    path = write_sound(tmp_path / "cut.wav", wave.clip(-0.7, 0.7), 44_100)
    figures = examine_recording(path, RATE).figures
    assert figures["clipped_share"] == pytest.approx(1 - 2 / np.pi * np.arcsin(0.7), abs=0.01)


def test_the_place_of_the_first_drop_out_and_their_number_are_reported(tmp_path: Path) -> None:
    figures = examine_recording(write_sound(tmp_path / "gaps.wav", with_gaps(), RATE), RATE).figures
    assert (figures["gaps"], figures["first_gap_s"]) == (4, 0.25)


def test_a_pause_that_fades_is_no_drop_out(tmp_path: Path) -> None:
    sound = clean()
    sound[8000:12_000] *= np.concatenate(
        [np.geomspace(1, 1e-4, 1000), np.zeros(2000), np.geomspace(1e-4, 1, 1000)]
    )
    path = write_sound(tmp_path / "pause.wav", sound, RATE)
    assert "drop-outs" not in names(examine_recording(path, RATE))


def test_a_rate_below_the_models_is_reported_with_advice(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "low.wav", clean(sample_rate=8000), 8000)
    (finding,) = [f for f in examine_recording(path, RATE).findings if f.name == "low-rate"]
    assert "8000 Hz" in finding.what
    assert "input.sample_rate=8000" in finding.advice
    assert names(examine_recording(path, 8000)) == set()


def test_how_far_up_a_recording_reaches(tmp_path: Path) -> None:
    figures = examine_recording(write_sound(tmp_path / "up.wav", upsampled(), RATE), RATE).figures
    assert figures["bandwidth_hz"] == pytest.approx(4000, abs=150)


def test_same_channels_are_a_mono_recording(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "same.wav", np.stack([clean(), clean()], 1), RATE)
    examined = examine_recording(path, RATE)
    assert names(examined) == set()
    assert "identical-channels" in {finding.name for finding in examined.findings}


def measured(sound: Floats, cuts: list[int]) -> dict[str, Any]:
    meter = SoundMeter(RATE, sound.shape[1], "PCM_16")
    for block in np.split(sound, sorted(cuts)):
        if len(block):
            meter.add(block)
    return asdict(meter.figures())


@given(cuts=st.lists(st.integers(1, RATE - 1), max_size=5))
def test_the_figures_do_not_hang_on_the_blocks(cuts: list[int]) -> None:
    sound = np.stack([with_gaps()[:RATE], 0.5 * with_gaps()[:RATE]], 1)
    whole, parts = measured(sound, []), measured(sound, cuts)
    for key in ("frames", "peak", "identical", "gaps", "first_gap_s", "bandwidth_hz"):
        assert parts[key] == whole[key]
    for key in ("mean", "std", "mix"):
        assert parts[key] == pytest.approx(whole[key])
    assert parts["silence"] == pytest.approx(whole["silence"], abs=0.06)


def test_memory_stays_flat() -> None:
    import tracemalloc

    meter, block = SoundMeter(RATE, 1, "PCM_16"), clean(4)[:, None]
    meter.add(block)
    tracemalloc.start()
    for _ in range(50):
        meter.add(block)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < block.nbytes
    assert isinstance(meter.figures(), SoundFigures)


def test_what_is_no_sound_is_named(tmp_path: Path) -> None:
    for content, words in (
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"speakers and ages\n", "text file"),
        (b"", "empty file"),
        (bytes(range(256)), "Format not recognised"),
    ):
        path = tmp_path / "sound.wav"
        path.write_bytes(content)
        examined = examine_recording(path, RATE)
        assert examined.has_problem
        assert words in examined.findings[0].what


CONTENT = {  # file: the kinds of its findings that are not fine
    "all_zeros.wav": {"silent"},
    "clipped_20db.wav": {"clipped"},
    "dc_only_plus1.wav": {"constant"},
    "float_1e300_double.wav": {"unreadable"},
    "float_denormals.wav": {"silent"},
    "float_inf.wav": {"unreadable"},
    "float_int_scale.wav": {"unreadable"},
    "float_one_nan.wav": {"unreadable"},
    "impulse.wav": {"silence"},
    "nyquist_full_scale.wav": set(),
    "one_lsb_dither.wav": {"quiet"},
    "sine_1k.wav": {"narrow"},
    "speech_hum50.wav": {"hum"},
    "speech_then_zeros.wav": {"silence"},
    "speech_with_dropouts.wav": {"drop-outs"},
    "square_fs.wav": {"clipped"},
    "stereo_identical.wav": set(),
    "stereo_right_silent.wav": {"silent-channel"},
    "very_quiet_3lsb.wav": {"quiet"},
    "white_noise_fs.wav": set(),
}


@pytest.mark.parametrize("name", CONTENT)
def test_nasty_content_gets_its_finding(name: str, shared_data: Path) -> None:
    assert names(examine_recording(shared_data / "formats" / "content" / name, RATE)) == CONTENT[name]


def test_every_file_of_the_collection_is_examined_without_an_exception(shared_data: Path) -> None:
    for path in sorted((shared_data / "formats").rglob("*")):
        if path.is_file():
            examined = examine_recording(path, RATE)
            assert examined.findings
            assert ("refused" in examined.figures) == ("unreadable" in names(examined))


def test_shares_read_well() -> None:
    assert [share(p) for p in (0, 0.00001, 0.0012, 0.034, 0.5)] == [
        "0.00 %",
        "less than 0.01 %",
        "0.12 %",
        "3.4 %",
        "50 %",
    ]
