"""Decoding and writing: what is exact is exact to the bit, and no sample is lost without a word."""

import shutil
import struct
import sys
import textwrap
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import audio_ffmpeg
from pipeline.audio import Samples, decode, probe, read_mono, to_int16
from pipeline.audio_write import FORMATS, write_audio
from pipeline.errors import RecordingRefused, UserError

RATE = 16_000
BLOCK = 1 << 16


def noise(count: int, seed: int = 0) -> Samples:
    """Uniform int16 noise with both extremes in it, shape (N,)."""
    samples = np.random.default_rng(seed).integers(-(2**15), 2**15, count, dtype=np.int16)
    samples[:2] = -(2**15), 2**15 - 1
    return samples


def refusal(path: Path, sample_rate: int = RATE) -> str:
    """The reason for which ``path`` is refused, which is one line."""
    with pytest.raises(RecordingRefused) as refused:
        read_mono(path, sample_rate)
    reason = str(refused.value).removeprefix(f"{path}: ")
    assert reason
    assert reason != str(refused.value)
    assert "\n" not in reason
    return reason


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
    blocks: list[Samples] = []
    decode(tmp_path / "noise.wav", RATE, blocks.append)
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
    decode(tmp_path / "long.wav", RATE, lambda block: None)
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


def test_what_are_no_amplitudes_is_refused_with_numbers(tmp_path: Path) -> None:
    amplitudes = np.zeros((2 * BLOCK, 2))
    amplitudes[BLOCK + 7, 1] = -9031
    soundfile.write(tmp_path / "integers.wav", amplitudes, RATE, subtype="FLOAT")
    assert refusal(tmp_path / "integers.wav").startswith("float samples up to 9031:")
    amplitudes[BLOCK + 9 :, 0] = np.nan
    amplitudes[BLOCK + 8, 1] = -np.inf
    soundfile.write(tmp_path / "nan.wav", amplitudes, RATE, subtype="DOUBLE")
    bad = BLOCK - 8
    assert refusal(tmp_path / "nan.wav") == (
        f"{bad} of {2 * BLOCK} samples are not finite, the first at {BLOCK + 8}"
    )


def test_a_recording_too_long_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    write_audio(tmp_path / "long.wav", noise(3 * BLOCK), RATE)
    delivered: list[int] = []
    with pytest.raises(RecordingRefused, match=r"longer than 0\.0 hours"):
        decode(tmp_path / "long.wav", RATE, lambda block: delivered.append(len(block)), max_samples=BLOCK)
    assert sum(delivered) <= BLOCK


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.touch(), "an empty file (0 bytes)"),
        (lambda path: path.mkdir(), "a folder or a device, not a file"),
        (lambda path: write_audio(path, noise(9), 1_999), "sample rate 1999 Hz, outside 2000 to 768000 Hz"),
        (lambda path: soundfile.write(path, np.zeros((9, 257)), RATE), "257 channels, more than 256"),
        (lambda path: soundfile.write(path, np.zeros(0), RATE), "no samples: the header gives 0 frames"),
        (
            lambda path: write_audio(path, noise(2), 768_000),
            "no samples: what is there gives none at 16000 Hz",
        ),
    ],
)
def test_what_holds_no_usable_sound_is_refused(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    make(tmp_path / "bad.wav")
    assert refusal(tmp_path / "bad.wav") == reason


@pytest.mark.parametrize("container", ["WAV", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC"])
def test_no_cut_passes_for_a_shorter_recording(tmp_path: Path, container: str) -> None:
    path, cut = tmp_path / "whole", tmp_path / "cut"
    soundfile.write(path, noise(9_000), RATE, format=container, subtype="PCM_16")
    whole = path.read_bytes()
    for end in [*range(1, len(whole), 97), len(whole) - 1]:
        cut.write_bytes(whole[:end])
        with pytest.raises(RecordingRefused):
            read_mono(cut, RATE)


def test_ogg_and_mp3_that_lost_samples_are_refused(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.ogg", noise(20 * RATE), RATE)
    write_audio(tmp_path / "a.mp3", noise(20 * RATE), RATE)
    ogg, mp3 = (tmp_path / "a.ogg").read_bytes(), (tmp_path / "a.mp3").read_bytes()
    third, fourth = [at for at in range(len(ogg)) if ogg.startswith(b"OggS", at)][3:5]
    for name, damaged, reason in [
        ("page", ogg[:third] + ogg[fourth:], "frames, .* decode"),
        ("tail", ogg[:-100], "within an Ogg page"),
        ("chain", ogg + ogg, "several Ogg streams in a row"),
        ("half", mp3[: len(mp3) // 2], "damaged"),
    ]:
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(RecordingRefused, match=reason):
            read_mono(tmp_path / name, RATE)


def test_an_mp3_without_a_table_of_its_length_is_read_to_its_end(tmp_path: Path) -> None:
    """libsndfile would guess the length from the first frames, which here are the cheapest."""
    silence, loud = tmp_path / "silence.mp3", tmp_path / "loud.mp3"
    for path, samples, level in [
        (silence, np.zeros(10 * RATE, np.int16), 0.99),
        (loud, noise(10 * RATE), 0.0),
    ]:
        with soundfile.SoundFile(
            path, "w", RATE, 1, "MPEG_LAYER_III", compression_level=level, bitrate_mode="CONSTANT"
        ) as file:
            file.write(samples)
    frames = [without_table(path.read_bytes()) for path in (silence, loud)]
    (tmp_path / "both.mp3").write_bytes(b"".join(frames))
    samples, facts = read_mono(tmp_path / "both.mp3", RATE)
    assert facts.info.frames is None
    assert len(samples) == pytest.approx(20 * RATE, abs=4 * 1152)


def without_table(mp3: bytes) -> bytes:
    """Drop the first frame where it is a table of length (Xing, Info) and not sound."""
    if b"Info" not in mp3[:200] and b"Xing" not in mp3[:200]:
        return mp3
    return mp3[mp3.index(mp3[:2], 40) :]


def test_harmless_damage_is_accepted_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "noise.wav"
    write_audio(path, noise(1_000), RATE)
    whole = path.read_bytes()
    for damaged, note in [
        (whole + bytes(range(200)), "the RIFF size field says 2044 bytes, the file has 2244"),
        (
            whole[:4] + struct.pack("<I", 7) + whole[8:],
            "the RIFF size field says 15 bytes, the file has 2044",
        ),
        (whole[:32] + b"\0\0" + whole[34:], "block align is 0, not 2"),
        (
            whole[:40] + b"\xff\xff\xff\xff" + whole[44:],
            "the header gives no length, as a recording that was streamed has none",
        ),
    ]:
        path.write_bytes(damaged)
        samples, facts = read_mono(path, RATE)
        assert np.array_equal(samples, noise(1_000))
        assert facts.notes == (note,)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_never_breaks_the_decoder(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damage"
    folder.mkdir(exist_ok=True)
    path = folder / f"noise{data.draw(st.sampled_from(sorted(FORMATS)))}"
    if not path.exists():
        write_audio(path, noise(2_000), RATE)
    damaged = bytearray(path.read_bytes())
    changes = st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), max_size=8)
    for position, value in data.draw(changes):
        damaged[position] = value
    (folder / "damaged").write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    try:
        samples, facts = read_mono(folder / "damaged", RATE)
    except RecordingRefused:
        refusal(folder / "damaged")
    else:
        assert len(samples) == facts.samples > 0


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


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a program named ffmpeg on the path that runs Python lines; gives a file libsndfile cannot read."""

    def make(lines: str) -> Path:
        program = tmp_path / "bin" / "ffmpeg"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\nimport struct, sys, time\nout = sys.stdout.buffer\n{lines}")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        (tmp_path / "-strange: name.m4a").write_bytes(b"not known to libsndfile" * 9)
        return tmp_path / "-strange: name.m4a"

    return make


HEADER = "out.write(struct.pack('>4s7I', b'.snd', 32, 2**32 - 1, 6, 16000, 2, 0, 0))\n"
LOG = "sys.stderr.write('[info] Input #0, mov,mp4, from x\\n[info] Stream #0:0: Audio: aac (LC)\\n')\n"


def test_ffmpeg_reads_what_libsndfile_cannot(stand_in: Callable[[str], Path]) -> None:
    path = stand_in(LOG + HEADER + "out.write(struct.pack('>6f', 0.5, 0.25, -1, -1, 0, 0.5))\n")
    samples, facts = read_mono(path, RATE)
    assert samples.tolist() == [12288, -32768, 8192]
    info = facts.info
    assert (info.container, info.encoding, info.decoder, info.channels) == ("mov", "aac", "ffmpeg", 2)
    assert probe(path) == info


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("sys.exit(3)", r"not readable by libsndfile \(.+\) nor by ffmpeg \(exit status 3\)"),
        ("sys.stderr.write('[error] file:x: no atom\\n')", r"nor by ffmpeg \(no atom\)"),
        ("time.sleep(60)", "ffmpeg gave nothing for 1 s"),
        (HEADER + "out.flush()\ntime.sleep(60)", "ffmpeg gave nothing for 1 s"),
        (
            HEADER + "out.write(bytes(800))\nsys.stderr.write('[mov @ 1] [error] ended early\\n')",
            "damaged: ffmpeg decodes 100 frames and reports: ended early",
        ),
    ],
)
def test_what_ffmpeg_cannot_read_whole_is_refused(
    stand_in: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, lines: str, reason: str
) -> None:
    monkeypatch.setattr(audio_ffmpeg, "STALL_S", 1.0)
    with pytest.raises(RecordingRefused, match=reason):
        read_mono(stand_in(textwrap.dedent(lines)), RATE)


def test_without_ffmpeg_the_refusal_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.m4a").write_bytes(b"not known to libsndfile" * 9)
    assert refusal(tmp_path / "a.m4a") == (
        "not readable by libsndfile (Format not recognised) and ffmpeg is not installed"
    )


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_playlist_is_no_recording_even_to_ffmpeg(tmp_path: Path) -> None:
    write_audio(tmp_path / "private.wav", noise(2_000), RATE)
    (tmp_path / "list.wav").write_text("ffconcat version 1.0\nfile private.wav\n")
    assert "nor by ffmpeg" in refusal(tmp_path / "list.wav")
