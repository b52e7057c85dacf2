"""Integers of a file are read and written without change."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.compression.pcm_files import (
    Integers,
    IntegerSound,
    check_format,
    examine,
    integers_file,
    read_integers,
)
from pipeline.errors import RecordingRejected, UserError
from tests.helpers.builders import tone, write_sound

HOLDS = {  # what each kind of file can hold
    ".wav": {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32},
    ".flac": {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24},
    ".aiff": {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32},
    ".w64": {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32},
    ".caf": {"PCM_S8": 8, "PCM_16": 16, "ALAC_16": 16, "ALAC_24": 24, "ALAC_32": 32},
    ".au": {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32},
}
CASES = [(suffix, name) for suffix, encodings in HOLDS.items() for name in encodings]
WRITTEN = [(suffix, depth) for suffix in (".wav", ".flac", ".aiff", ".w64") for depth in (8, 16, 24, 32)]


def integers_of(depth: int, frames: int, channels: int, seed: int = 0) -> Integers:
    """All over the range, with its ends."""
    low, high = -(1 << depth - 1), (1 << depth - 1) - 1
    random = np.random.default_rng(seed)
    found = random.integers(low, high, (frames, channels), np.int32, endpoint=True)
    found[: frames // 2] >>= depth // 2
    found[:2] = [[low], [high]]
    return found


@pytest.mark.parametrize(("suffix", "encoding"), CASES)
def test_integers_are_those_in_the_file(tmp_path: Path, suffix: str, encoding: str) -> None:
    depth = HOLDS[suffix][encoding]
    # libsndfile itself cannot write ALAC of 24 bits that is all noise.
    written = integers_of(depth, 300, 2) >> (4 if "ALAC" in encoding else 0)
    path = write_sound(tmp_path / f"a{suffix}", written << 32 - depth, 8_000, encoding)
    sound = examine(path)
    assert (sound.depth, sound.frames, sound.channels, sound.sample_rate) == (depth, 300, 2, 8_000)
    assert np.array_equal(np.concatenate(list(read_integers(path, 64))), written)


@pytest.mark.parametrize(("suffix", "depth"), WRITTEN)
def test_what_is_written_reads_the_same(tmp_path: Path, suffix: str, depth: int) -> None:
    integers = integers_of(depth, 200, 3)
    sound = IntegerSound(11_025, 3, depth, 200, sum_of(integers))
    if depth == 32 and suffix == ".flac":
        with pytest.raises(UserError, match="no 32-bit samples"):
            check_format(tmp_path / "b.flac", sound)
        return
    with integers_file(tmp_path / f"b{suffix}", sound) as write:
        write(integers[:77])
        write(integers[77:])
    assert examine(tmp_path / f"b{suffix}") == sound


def sum_of(integers: Integers) -> str:
    import hashlib

    return hashlib.sha256(integers.astype("<i4").tobytes()).hexdigest()


@settings(max_examples=20)
@given(st.integers(1, 500), st.integers(1, 600), st.integers(1, 3))
def test_blocks_have_the_frames_asked_for(
    tmp_path_factory: pytest.TempPathFactory, frames: int, size: int, channels: int
) -> None:
    integers = integers_of(16, frames + 2, channels)
    path = write_sound(tmp_path_factory.mktemp("blocks") / "a.wav", integers.astype(np.int16))
    blocks = list(read_integers(path, size))
    assert all(len(block) == size for block in blocks[:-1])
    assert 0 < len(blocks[-1]) <= size
    assert np.array_equal(np.concatenate(blocks), integers)


def test_a_long_file_comes_in_blocks_across_the_readers_own(tmp_path: Path) -> None:
    samples = tone(200_001)
    path = write_sound(tmp_path / "a.flac", samples)
    blocks = list(read_integers(path, 65_520))
    assert [len(block) for block in blocks] == [65_520, 65_520, 65_520, 3_441]
    assert np.array_equal(np.concatenate(blocks)[:, 0], samples)


@pytest.mark.parametrize(
    ("suffix", "encoding"), [(".wav", "ULAW"), (".wav", "FLOAT"), (".wav", "IMA_ADPCM"), (".ogg", "VORBIS")]
)
def test_what_holds_no_integers_is_rejected_in_one_line(tmp_path: Path, suffix: str, encoding: str) -> None:
    path = write_sound(tmp_path / f"a{suffix}", tone(800), subtype=encoding)
    for read in (examine, lambda path: list(read_integers(path, 8))):
        with pytest.raises(RecordingRejected, match=f"with {encoding} holds no integer samples") as refused:
            read(path)
        assert "\n" not in str(refused.value)


def test_a_cut_file_is_rejected(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(800))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RecordingRejected, match="cut short"):
        examine(path)


def test_samples_other_than_promised_are_never_written(tmp_path: Path) -> None:
    integers = integers_of(16, 100, 1)
    sound = IntegerSound(8_000, 1, 16, 100, sum_of(integers))
    integers[50] ^= 1
    with (
        pytest.raises(RecordingRejected, match="nothing is written"),
        integers_file(tmp_path / "a.wav", sound) as write,
    ):
        write(integers)
    assert not list(tmp_path.iterdir())


def test_suffixes_and_sizes_that_no_file_has_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown kind.*\.wav"):
        check_format(tmp_path / "a.mp3")
    huge = IntegerSound(48_000, 2, 16, 1 << 30, "")
    with pytest.raises(UserError, match=r"name it \.w64"):
        check_format(tmp_path / "a.wav", huge)
    check_format(tmp_path / "a.w64", huge)


def test_channels_that_a_format_lacks_are_rejected_in_one_line(tmp_path: Path) -> None:
    integers = integers_of(16, 10, 9)
    sound = IntegerSound(8_000, 9, 16, 10, sum_of(integers))
    with (
        pytest.raises(UserError, match="cannot be written as FLAC"),
        integers_file(tmp_path / "a.flac", sound) as write,
    ):
        write(integers)
    assert not list(tmp_path.iterdir())


def test_libsndfile_agrees_on_eight_bits(tmp_path: Path) -> None:
    written = integers_of(8, 50, 1)
    with integers_file(tmp_path / "a.wav", IntegerSound(8_000, 1, 8, 50, sum_of(written))) as write:
        write(written)
    assert np.array_equal(soundfile.read(tmp_path / "a.wav", dtype="int16")[0] >> 8, written[:, 0])
