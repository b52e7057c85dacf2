"""No sample is lost without a word: what is cut, damaged or no sound is refused in one line."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audio.decode import open_decoding, read_mono
from pipeline.audio.write import FORMATS, write_audio
from pipeline.errors import RecordingRejected
from tests.helpers.recordings import BLOCK, RATE, noise, refusal


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
    with open_decoding(tmp_path / "long.wav") as recording:
        blocks = recording.blocks(RATE, max_samples=BLOCK)
        with pytest.raises(RecordingRejected, match=r"longer than 0\.0 hours"):
            delivered.extend(len(block) for block in blocks)
    assert sum(delivered) <= BLOCK


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.touch(), "an empty file (0 bytes)"),
        (lambda path: path.mkdir(), "a folder, a device or a pipe, not a file"),
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
        with pytest.raises(RecordingRejected):
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
        with pytest.raises(RecordingRejected, match=reason):
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
        (whole + bytes(range(200)), "the RIFF size field states 2044 bytes, the file has 2244"),
        (
            whole[:4] + struct.pack("<I", 7) + whole[8:],
            "the RIFF size field states 15 bytes, the file has 2044",
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
    except RecordingRejected:
        refusal(folder / "damaged")
    else:
        assert len(samples) == facts.samples > 0
