"""Decoding and writing: what is exact is exact to the bit, and memory does not grow with length."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audio.decode import Samples, naming, open_decoding, probe, read_mono, to_int16
from pipeline.audio.write import write_audio
from pipeline.errors import RecordingRejected, UserError
from tests.helpers.recordings import BLOCK, RATE, noise


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".WAV"])
def test_int16_survives_writing_and_reading_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    samples = noise(3 * BLOCK + 17)
    path = tmp_path / f"noise{suffix}"
    write_audio(path, samples, RATE)
    decoded, facts = read_mono(path, RATE)
    assert np.array_equal(decoded, samples)
    assert facts.samples == len(samples) == probe(path).frames
    assert facts.peak == 1.0
    assert facts.clipped == 0
    assert facts.notes == ()


@pytest.mark.parametrize("suffix", [".ogg", ".mp3"])
def test_lossy_formats_keep_level_and_length(tmp_path: Path, suffix: str) -> None:
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(5 * RATE) / RATE)
    path = tmp_path / f"sine{suffix}"
    write_audio(path, sine, RATE)
    decoded, _ = read_mono(path, RATE)
    assert len(decoded) == len(sine)
    assert np.std(decoded[RATE:-RATE]) == pytest.approx(np.std(to_int16(sine)), rel=0.02)


@given(st.lists(st.floats(-1.5, 1.5, width=32), min_size=1))
def test_rounding_is_within_half_a_step_and_clips(values: list[float]) -> None:
    amplitudes = np.array(values, dtype=np.float32)
    steps = to_int16(amplitudes)
    inside = np.clip(amplitudes.astype(float) * 2**15, -(2**15), 2**15 - 1)
    assert np.abs(steps - inside).max() <= 0.5


@pytest.mark.parametrize("from_rate", [8_000, 15_999, 22_050, 44_100, 48_000, 192_000])
def test_resampling_keeps_frequency_and_level(tmp_path: Path, from_rate: int) -> None:
    def sine(rate: int) -> Samples:
        return to_int16(0.5 * np.sin(2 * np.pi * 1_000 * np.arange(2 * rate) / rate))

    path = tmp_path / "sine.wav"
    write_audio(path, sine(from_rate), from_rate)
    decoded, facts = read_mono(path, RATE)
    assert len(decoded) == 2 * RATE
    middle = slice(RATE // 4, -RATE // 4)  # away from the ends, where the filter sees silence
    assert np.abs(decoded[middle].astype(int) - sine(RATE)[middle]).max() <= 2
    assert facts.info.sample_rate == from_rate


def test_resampling_in_blocks_equals_resampling_at_once(tmp_path: Path) -> None:
    samples = noise(2 * BLOCK + 4321) // 2
    path = tmp_path / "noise.flac"
    write_audio(path, samples, 44_100)
    decoded, _ = read_mono(path, RATE)
    at_once = to_int16(soxr.resample(samples.astype(np.float32) / 2**15, 44_100, RATE))
    assert len(decoded) == len(at_once)
    assert np.abs(decoded.astype(int) - at_once).max() <= 1


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = noise(BLOCK, seed=1), noise(BLOCK, seed=2)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), RATE)
    decoded, facts = read_mono(tmp_path / "stereo.wav", RATE)
    assert np.abs(decoded - (left.astype(float) + right) / 2).max() <= 0.5
    assert facts.info.channels == 2
    soundfile.write(tmp_path / "opposed.wav", np.stack([left // 2, -(left // 2)], axis=1), RATE)
    assert not read_mono(tmp_path / "opposed.wav", RATE)[0].any()


def test_blocks_arrive_in_order_as_int16(tmp_path: Path) -> None:
    write_audio(tmp_path / "noise.wav", noise(3 * BLOCK + 5), RATE)
    with open_decoding(tmp_path / "noise.wav") as recording:
        blocks = list(recording.blocks(RATE))
    assert {(block.dtype, block.ndim) for block in blocks} == {(np.dtype(np.int16), 1)}
    assert len(blocks) > 1
    assert np.array_equal(np.concatenate(blocks), noise(3 * BLOCK + 5))


def test_what_is_read_may_be_written_to(tmp_path: Path) -> None:
    write_audio(tmp_path / "noise.wav", noise(10), RATE)
    samples, _ = read_mono(tmp_path / "noise.wav", RATE)
    samples[0] = 5
    assert samples[0] == 5


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 48_000, 2, "PCM_16") as file:
        for _ in range(60):
            file.write(np.zeros((48_000 * 5, 2), np.int16))  # 58 MB in all
    tracemalloc.start()
    with open_decoding(tmp_path / "long.wav") as recording:
        for _ in recording.blocks(RATE):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_threads_decode_what_one_does(tmp_path: Path) -> None:
    paths = []
    for index in range(12):
        paths.append(tmp_path / f"{index}{['.flac', '.ogg', '.mp3'][index % 3]}")
        write_audio(paths[-1], noise(BLOCK + index, seed=index), [16_000, 44_100][index % 2])
    alone = [read_mono(path, RATE)[0] for path in paths]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda path: read_mono(path, RATE)[0], paths * 4))
    assert all(np.array_equal(one, other) for one, other in zip(alone * 4, together, strict=True))


def test_a_little_beyond_full_scale_is_clipped_and_noted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", np.array([0.0, 1.5, -2.0, 1.0]), RATE, subtype="FLOAT")
    samples, facts = read_mono(tmp_path / "loud.wav", RATE)
    assert samples.tolist() == [0, 2**15 - 1, -(2**15), 2**15 - 1]
    assert (facts.clipped, facts.peak) == (2, 2.0)
    assert facts.notes == ("2 samples beyond full scale were clipped (largest 2)",)


def test_writing_refuses_what_it_cannot_do_in_one_line(tmp_path: Path) -> None:
    write_audio(tmp_path / "new" / "folder" / "a.wav", noise(10), RATE)
    (tmp_path / "file").touch()
    for path, rate, reason in [
        (tmp_path / "new" / "folder" / "a.wav", RATE, "exists already"),
        (tmp_path / "a.xyz", RATE, r"\.wav, \.flac, \.aiff, \.aif, \.ogg, \.mp3"),
        (tmp_path / "a.mp3", 12_345, "mp3 at 12345 Hz cannot be written"),
        (tmp_path / "file" / "a.wav", RATE, "cannot be written"),
        (tmp_path / ("long" * 99 + ".wav"), RATE, "cannot be written"),
    ]:
        with pytest.raises(UserError, match=reason) as error:
            write_audio(path, noise(10), rate)
        assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "new"]
    write_audio(tmp_path / "new" / "folder" / "a.wav", noise(20), RATE, overwrite=True)
    assert read_mono(tmp_path / "new" / "folder" / "a.wav", RATE)[1].samples == 20


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (44_100, 2), (8_000, 1), (RATE, 1)])
def test_one_pass_gives_both_rates_as_two_would(
    tmp_path: Path, subtype: str, rate: int, channels: int
) -> None:
    samples = noise(50_000 * channels).reshape(-1, channels) / 2**15
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype=subtype)
    with open_decoding(tmp_path / "a.wav") as recording:
        ours, own = (both.read() for both in recording.spool_both(RATE, tmp_path / "b.wav"))
    expected, facts = read_mono(tmp_path / "a.wav", RATE)
    assert np.array_equal(ours, expected)
    assert recording.facts == facts
    assert np.array_equal(own, read_mono(tmp_path / "a.wav", rate)[0])


def test_the_header_is_there_before_a_sample_is_decoded(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", noise(100), RATE)
    with open_decoding(tmp_path / "a.wav") as recording:
        assert (recording.info.sample_rate, recording.info.frames) == (RATE, 100)
        for block in recording.blocks(RATE):
            assert len(block) == 100
            break  # the rest may be left


def test_a_reason_for_rejection_names_the_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingRejected, match=r"^no such file$"), open_decoding(tmp_path / "none.wav"):
        pytest.fail("there is none")
    path = tmp_path / "none.wav"
    with pytest.raises(RecordingRejected) as reason, naming(path), open_decoding(path):
        pytest.fail("there is none")
    assert str(reason.value) == f"{path}: no such file"
