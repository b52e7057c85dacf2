"""Frames against librosa's, a stream against the whole, and sound back from frames."""

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.features.spectrogram import FRAMES_AT_ONCE, Spectrogram

RATE = 16_000
SETTINGS = [
    Spectrogram(RATE, window_length=1024, hop_length=256, n_fft=1024),
    Spectrogram(RATE, window_length=400, hop_length=160, n_fft=512),
    Spectrogram(RATE, window_length=400, hop_length=160, n_fft=512, n_mels=80),
    Spectrogram(RATE, 1024, 256, 1024, n_mels=64, min_frequency_hz=60, max_frequency_hz=7600),
]


def voiced_sound(duration_s: float, sample_rate: int = RATE) -> NDArray[np.int16]:
    """A buzzing tone whose pitch and loudness wander, over a little noise: like speech, without being any."""
    time_s = np.arange(int(duration_s * sample_rate)) / sample_rate
    phase = 2 * np.pi * np.cumsum(120 + 25 * np.sin(2 * np.pi * 0.7 * time_s)) / sample_rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 25))
    loudness = 0.55 + 0.45 * np.sin(2 * np.pi * 2.3 * time_s)
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    return np.asarray(6000 * loudness * tone + 60 * noise).clip(-32768, 32767).astype(np.int16)


def of_librosa(spectrogram: Spectrogram, samples: NDArray[np.int16]) -> NDArray[np.float32]:
    transform: dict[str, Any] = {"n_fft": spectrogram.n_fft, "hop_length": spectrogram.hop_length}
    transform |= {"win_length": spectrogram.window_length, "pad_mode": "constant"}
    floats = samples / np.float32(32768)
    if spectrogram.n_mels:
        transform |= {"n_mels": spectrogram.n_mels, "sr": spectrogram.sample_rate, "power": 1}
        transform |= {"fmin": spectrogram.min_frequency_hz, "fmax": spectrogram.max_frequency_hz}
        magnitudes = librosa.feature.melspectrogram(y=floats, **transform)
    else:
        magnitudes = np.abs(librosa.stft(floats, **transform))
    return np.asarray(magnitudes.T, np.float32)


def distance_db(one: torch.Tensor, other: torch.Tensor) -> float:
    """Log-spectral distance: the mean over frames of the root mean square over bins, in dB."""
    frames = min(len(one), len(other))
    difference_db = (one[:frames] - other[:frames]) * 20 / math.log(10)
    return float(difference_db.square().mean(1).sqrt().mean())


@pytest.mark.parametrize("spectrogram", SETTINGS, ids=str)
def test_frames_are_librosas(spectrogram: Spectrogram) -> None:
    samples = voiced_sound(3)
    frames = spectrogram.frames(torch.from_numpy(samples)).numpy()
    magnitudes = of_librosa(spectrogram, samples)
    np.testing.assert_allclose(np.exp(frames), magnitudes, rtol=1e-4, atol=1e-5)
    assert frames.shape == (spectrogram.frame_count(len(samples)), spectrogram.dimension)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 3 * FRAMES_AT_ONCE * 8), max_size=6), tail=st.integers(0, 9000))
def test_a_stream_in_any_blocks_gives_the_very_frames_of_the_whole(cuts: list[int], tail: int) -> None:
    spectrogram = Spectrogram(RATE, window_length=32, hop_length=8, n_fft=64, n_mels=6)
    samples = np.tile(voiced_sound(1), 2)[: FRAMES_AT_ONCE * 8 + tail]
    parts = list(spectrogram.stream(np.split(samples, sorted(cuts))))
    assert max(len(part) for part in parts) <= FRAMES_AT_ONCE
    assert np.array_equal(np.concatenate(parts), spectrogram.frames(torch.from_numpy(samples)).numpy())


@pytest.mark.parametrize("spectrogram", SETTINGS[:3:2], ids=str)
def test_every_length_has_its_frames(spectrogram: Spectrogram) -> None:
    samples = torch.from_numpy(voiced_sound(0.2))
    for length in range(1, 2001, 2):
        frames = spectrogram.frames(samples[:length])
        assert frames.shape == (1 + length // spectrogram.hop_length, spectrogram.dimension)
        assert frames.isfinite().all()


def test_a_sine_is_loudest_in_its_bin_with_a_quarter_of_the_window() -> None:
    spectrogram = SETTINGS[0]
    sine = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    frame = spectrogram.frames(torch.from_numpy(sine))[30]
    assert int(frame.argmax()) == 1000 * spectrogram.n_fft // RATE
    assert float(frame.max().exp()) == pytest.approx(1024 / 4, rel=1e-4)


def test_frequencies_bound_the_linear_bins() -> None:
    bounded = Spectrogram(RATE, 1024, 256, 1024, min_frequency_hz=100, max_frequency_hz=4000)
    samples = torch.from_numpy(voiced_sound(0.5))
    assert torch.equal(bounded.frames(samples), SETTINGS[0].frames(samples)[:, 7 : 256 + 1])


def test_int16_and_floats_of_full_scale_one_are_the_same() -> None:
    samples = torch.from_numpy(voiced_sound(0.5))
    assert torch.equal(SETTINGS[2].frames(samples), SETTINGS[2].frames(samples / 32768))


def test_silence_is_the_floor() -> None:
    frames = SETTINGS[2].frames(torch.zeros(4000))
    assert torch.equal(frames, torch.full_like(frames, 1e-5).log())


# Measured with 32 iterations on both sounds: linear 1.8 to 2.3 dB, mel 0.7 to 1.5 dB; with none, 13 to 15 dB.
BOUND_DB = {0: 2.6, 80: 1.5, 64: 1.6}


@pytest.mark.parametrize("spectrogram", SETTINGS, ids=str)
def test_sound_from_frames_has_nearly_these_frames(spectrogram: Spectrogram) -> None:
    frames = spectrogram.frames(torch.from_numpy(voiced_sound(3)))
    samples = spectrogram.invert(frames, seed=1)
    assert len(samples) == (len(frames) - 1) * spectrogram.hop_length
    assert distance_db(spectrogram.frames(samples), frames) < BOUND_DB[spectrogram.n_mels]


@pytest.mark.thinned(3)
@pytest.mark.parametrize("spectrogram", SETTINGS, ids=str)
def test_speech_from_frames_has_nearly_these_frames(spectrogram: Spectrogram, shared_data: Path) -> None:
    import soundfile

    for path in sorted((shared_data / "speech" / "librispeech_train-clean-100").rglob("*.flac"))[:4]:
        speech, _ = soundfile.read(path, dtype="int16", frames=5 * RATE)
        frames = spectrogram.frames(torch.from_numpy(speech))
        samples = spectrogram.invert(frames, seed=1)
        assert distance_db(spectrogram.frames(samples), frames) < BOUND_DB[spectrogram.n_mels]
        print(
            "RANDOM",
            distance_db(spectrogram.frames(spectrogram.invert(frames, seed=1, iterations=0)), frames),
        )


def test_sound_follows_the_seed_and_leaves_the_global_generator_alone() -> None:
    frames = SETTINGS[2].frames(torch.from_numpy(voiced_sound(0.5)))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (SETTINGS[2].invert(frames, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("spectrogram", SETTINGS, ids=str)
def test_few_frames_give_few_samples(spectrogram: Spectrogram) -> None:
    for count in range(1, 8):
        samples = spectrogram.invert(torch.zeros(count, spectrogram.dimension), seed=1, iterations=2)
        assert samples.shape == ((count - 1) * spectrogram.hop_length,)
        assert samples.isfinite().all()


def test_noisy_mel_frames_do_not_make_loud_sound() -> None:
    """Not even with more bands than bins at low frequencies, where the filters are nearly dependent."""
    spectrogram = Spectrogram(RATE, window_length=400, hop_length=160, n_fft=512, n_mels=110)
    frames = spectrogram.frames(torch.from_numpy(voiced_sound(1)))
    noisy = frames + 0.3 * torch.randn(frames.shape, generator=torch.Generator().manual_seed(0))
    clean_power = spectrogram.invert(frames, seed=1).square().mean()
    assert spectrogram.invert(noisy, seed=1).square().mean() < 2 * clean_power


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"n_fft": 511, "window_length": 400}, "n_fft must be even"),
        ({"window_length": 600}, "window_length must be from 2 to n_fft"),
        ({"hop_length": 300}, "hop_length must be"),
        ({"min_frequency_hz": 9000.0}, "min_frequency_hz must be below"),
        ({"max_frequency_hz": 9000.0}, "max_frequency_hz must be at most"),
        ({"min_frequency_hz": 1001.0, "max_frequency_hz": 1002.0}, "no bin"),
        ({"floor": 0.0}, "floor must be positive"),
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, float], text: str) -> None:
    sound: dict[str, Any] = {"sample_rate": RATE, "window_length": 512, "hop_length": 128, "n_fft": 512}
    with pytest.raises(UserError, match=text):
        Spectrogram(**{**sound, **wrong})


def test_mel_bands_without_a_bin_are_refused() -> None:
    with pytest.raises(UserError, match=r"of 200 mel bands hold no bin of n_fft 512; lower n_mels"):
        Spectrogram(RATE, 512, 128, 512, n_mels=200).frames(torch.zeros(100))


@pytest.mark.parametrize("failure", ["OSError('libcudart.so.13: cannot open')", "RuntimeError('ABI')"])
def test_torchaudio_of_another_build_is_named_with_what_to_install(
    failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchaudio.py").write_text(f"raise {failure}")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    linear = SETTINGS[0].frames(torch.zeros(1000))
    with pytest.raises(
        UserError, match=rf"does not load beside torch {re.escape(torch.__version__)}.*pip install"
    ):
        SETTINGS[0].invert(linear, seed=1)


def test_settings_can_be_made_without_importing_torch() -> None:
    program = (
        "import sys; from pipeline.features.spectrogram import Spectrogram;"
        "Spectrogram(16000, 512, 128, 512, 80);"
        "print({'torch', 'torchaudio', 'librosa'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.gpu
@pytest.mark.parametrize("spectrogram", SETTINGS, ids=str)
def test_a_gpu_gives_the_same_frames_and_sound_as_good(spectrogram: Spectrogram) -> None:
    samples = torch.from_numpy(voiced_sound(3))
    frames = spectrogram.frames(samples)
    on_gpu = spectrogram.frames(samples.cuda())
    torch.testing.assert_close(on_gpu.cpu().exp(), frames.exp(), rtol=1e-4, atol=1e-5)
    context = spectrogram.frames(spectrogram.invert(on_gpu, seed=1))
    assert distance_db(context.cpu(), frames) < BOUND_DB[spectrogram.n_mels]
