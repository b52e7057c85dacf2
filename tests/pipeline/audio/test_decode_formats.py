"""Every file of a collection of formats and nasty inputs is decoded whole, or refused in one line."""

import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.decode import DecodedFacts, Samples, read_mono
from pipeline.errors import RecordingRejected

RATE = 16_000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
Outcome = tuple[Samples, DecodedFacts] | str

REFUSED = {  # file: what its reason says
    "broken/bits_128.wav": "not readable by libsndfile (File contains data in an unimplemented format)",
    "broken/channels_65535.wav": "not readable by libsndfile (Too many channels specified)",
    "broken/data_size_zero.wav": "no samples: the header gives 0 frames",
    "broken/header_only_44.wav": "cut short: the header promises 16000 bytes of samples, 0 are there",
    "broken/header_promises_10x.wav": "cut short: the header promises 160000 bytes of samples, 16000 are",
    "broken/huge_chunk_size.wav": "not readable by libsndfile (Error in WAV file. No 'data' chunk marker)",
    "broken/no_data_chunk.wav": "not readable by libsndfile (Error in WAV file. No 'data' chunk marker)",
    "broken/page_crc_error.ogg": "damaged: the header promises 119009 frames, 103649 decode",
    "broken/truncated_60pct.au": "cut short: the header promises 16000 bytes of samples, 9590 are there",
    "broken/truncated_60pct.opus": "cut short: the file ends at byte 1030, within an Ogg page",
    "broken/truncated_half.flac": "damaged after frame 0: flac decoder lost sync",
    "broken/truncated_half.wav": "cut short: the header promises 16000 bytes of samples, 7978 are there",
    "broken/truncated_header_30.flac": "not readable by libsndfile",
    "broken/truncated_header_36.wav": "not readable by libsndfile",
    "broken/two_data_chunks.wav": "2 chunks of samples in one file: only the first would be read",
    "broken/unknown_tag_1234.wav": "not readable by libsndfile",
    "broken/wavex_bad_guid.wav": "not readable by libsndfile",
    "content/float_1e300_double.wav": "float samples up to 1e+300:",
    "content/float_inf.wav": "11 of 8000 samples are not finite, the first at 100",
    "content/float_int_scale.wav": "float samples up to 9031: the file holds integers or another scale",
    "content/float_one_nan.wav": "1 of 8000 samples are not finite, the first at 4000",
    "lengths/len_000.flac": "no samples",
    "lengths/len_000.wav": "no samples",
    "lengths/one_byte.wav": "not readable by libsndfile (Format not recognised)",
    "lengths/zero_bytes.flac": "an empty file (0 bytes)",
    "lengths/zero_bytes.mp3": "an empty file (0 bytes)",
    "lengths/zero_bytes.wav": "an empty file (0 bytes)",
    "misnamed/git_lfs_pointer.wav": "not readable by libsndfile (Format not recognised)",
    "misnamed/html_error.wav": "not readable by libsndfile (Format not recognised)",
    "misnamed/random_bytes.mp3": "not readable by libsndfile (Format not recognised)",
    "misnamed/wav.wav.gz": "not readable by libsndfile (Format not recognised)",
    "valid/speech_headerless_s16be_16000.raw": "not readable by libsndfile (Format not recognised)",
    "valid/speech_headerless_s16le_16000.raw": "not readable by libsndfile (Format not recognised)",
}
REFUSED_UPSTREAM = {
    "flac_testbench/faulty/04 - wrong number of channels.flac": "flac channel changed mid stream",
    "flac_testbench/faulty/05 - wrong total number of samples.flac": "39842 frames, the stream has 109487",
    "flac_testbench/uncommon/02 - increasing number of channels.flac": "flac channel changed mid stream",
    "pocketsphinx/awful.wav": "sample rate 1092676 Hz, outside 2000 to 768000 Hz",
    "pocketsphinx/null.wav": "no samples: the header gives 0 frames",
    "scipy/test-1234Hz-le-1ch-10S-20bit-extra.wav": "sample rate 1234 Hz, outside 2000 to 768000 Hz",
    "scipy/test-44100Hz-le-1ch-4bytes-early-eof.wav": "promises 17640 bytes of samples, 944 are there",
}
NOTED = {
    "broken/blockalign_0.wav": "block align is 0, not 2",
    "broken/riff_size_wrong.wav": "the RIFF size field states 8 bytes, the file has 16044",
    "broken/trailing_garbage.flac": "no FLAC frame ends where the file ends: other bytes follow the last one",
    "broken/trailing_garbage.wav": "the RIFF size field states 16044 bytes, the file has 20044",
    "valid/speech_gsm610_8000.wav": "19 samples beyond full scale were clipped (largest 1.002)",
}
NEEDS_FFMPEG = {
    "real/hungarian_dance_2s.m4a",
    "valid/music_ac3.ac3",
    *(f"valid/speech_{rest}" for rest in ("aac.m4a", "adts.aac", "alac.m4a", "flac.ogg", "g722.wav")),
    *(f"valid/speech_{rest}" for rest in ("opus.webm", "s24_in_mkv.mka", "speex.ogg", "wma.wma")),
}
SAME_CLIP = {  # files of valid/ with the 16 kHz clip: largest error in steps of 16 bits
    "speech_16000": {
        0: "24bit.aiff 24bit.flac aiff alac.caf au caf flac float.aifc htk mat paf rf64.wav sf sph voc w64",
        128: "8bit.flac",
        255: "u8.aiff mulaw.au",
    },
    "speech": {0: "pcm16_16000.wav bwf.wav float32_16000.wav float64_16000.wav listinfo.wav 32ch_16000.wav"},
    # These were rounded with another full scale, 32767.
    "wav": {1: "chunks_after_data.wav fmt18_cbsize0.wav junk_before_fmt.wav odd_chunk_padded.wav"},
    "wavex": {0: "24valid_in_32.wav"},
}


def outcome(path: Path) -> Outcome:
    try:
        return read_mono(path, RATE)
    except RecordingRejected as refused:
        return str(refused).removeprefix(f"{path}: ")


@pytest.fixture(scope="module")
def formats(shared_data: Path) -> Path:
    return shared_data / "formats"


@pytest.fixture(scope="module")
def memory_before() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.fixture(scope="module")
def outcomes(
    formats: Path, tmp_path_factory: pytest.TempPathFactory, memory_before: int
) -> dict[str, Outcome]:
    """What becomes of each file where there is no ffmpeg."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path_factory.mktemp("nothing")))
        return {
            str(path.relative_to(formats)): outcome(path)
            for path in sorted(formats.rglob("*"))
            if path.is_file()
        }


def test_every_file_has_an_outcome_of_one_line_and_little_memory(
    outcomes: dict[str, Outcome], memory_before: int
) -> None:
    assert len(outcomes) > 200
    for name, result in outcomes.items():
        if isinstance(result, str):
            assert result, name
            assert "\n" not in result, name
        else:
            samples, facts = result
            assert len(samples) == facts.samples > 0, name
            assert samples.dtype == np.int16, name
            assert facts.peak <= 1 or facts.clipped, name
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before
    assert grown_kb < 256 << 10


@pytest.mark.parametrize("folder", ["broken", "content", "lengths", "misnamed", "valid", "real"])
def test_just_the_bad_ones_are_refused(outcomes: dict[str, Outcome], folder: str) -> None:
    found = {
        name: result
        for name, result in outcomes.items()
        if name.startswith(f"{folder}/") and isinstance(result, str)
    }
    expected = {name: reason for name, reason in REFUSED.items() if name.startswith(f"{folder}/")}
    missing = {name for name in NEEDS_FFMPEG if name.startswith(f"{folder}/")}
    assert found.keys() == expected.keys() | missing
    for name, reason in expected.items():
        assert found[name].startswith(reason), name
    for name in missing:
        assert found[name].endswith("and ffmpeg is not installed"), name


def test_other_projects_traps_are_recognised(outcomes: dict[str, Outcome]) -> None:
    for name, reason in REFUSED_UPSTREAM.items():
        assert reason in str(outcomes[f"upstream/{name}"]), name


def test_harmless_damage_is_noted_and_sound_files_are_not(outcomes: dict[str, Outcome]) -> None:
    noted = {
        name: result[1].notes
        for name, result in outcomes.items()
        if not name.startswith("upstream/") and not isinstance(result, str) and result[1].notes
    }
    assert noted == {name: (note,) for name, note in NOTED.items()}


def clips() -> Iterator[tuple[str, int]]:
    for prefix, by_error in SAME_CLIP.items():
        for error, names in by_error.items():
            for name in names.split():
                yield f"valid/{prefix}{'.' if prefix == 'speech_16000' else '_'}{name}", error


@pytest.mark.parametrize(("name", "largest_error"), list(clips()))
def test_one_clip_is_the_same_in_every_lossless_container(
    outcomes: dict[str, Outcome], name: str, largest_error: int
) -> None:
    reference, result = outcomes["valid/speech_pcm16_16000.wav"], outcomes[name]
    assert not isinstance(reference, str)
    assert not isinstance(result, str), result
    samples = result[0]
    assert len(samples) in (8_000, 1_600)
    assert np.abs(samples.astype(int) - reference[0][: len(samples)]).max() <= largest_error


@pytest.mark.parametrize("stored", ["16_15999", "16_22050", "16_32000", "16_48000", "16_96000", "24_44100"])
def test_a_clip_stored_at_another_rate_comes_back(outcomes: dict[str, Outcome], stored: str) -> None:
    """Up by another resampler and down by ours: 40 dB, since both cut what is next to half the rate."""
    reference, result = outcomes["valid/speech_pcm16_16000.wav"], outcomes[f"valid/speech_pcm{stored}.wav"]
    assert not isinstance(reference, str)
    assert not isinstance(result, str), result
    middle = slice(200, min(len(result[0]), 8_000) - 200)
    wanted = reference[0][middle].astype(float)
    error = result[0][middle] - wanted
    assert 10 * np.log10(np.mean(wanted**2) / np.mean(error**2)) > 40


@needs_ffmpeg
def test_ffmpeg_reads_the_rest(formats: Path) -> None:
    for name in NEEDS_FFMPEG:
        result = outcome(formats / name)
        assert not isinstance(result, str), f"{name}: {result}"
        assert result[1].info.decoder == "ffmpeg"
    for name in ("alac.m4a", "flac.ogg", "s24_in_mkv.mka"):
        assert np.array_equal(
            read_mono(formats / f"valid/speech_{name}", RATE)[0],
            read_mono(formats / "valid/speech_pcm16_16000.wav", RATE)[0],
        )


@needs_ffmpeg
def test_ffmpeg_does_not_rescue_what_is_damaged(formats: Path, tmp_path: Path) -> None:
    for name in REFUSED:
        assert isinstance(outcome(formats / name), str), name
    for name in NEEDS_FFMPEG:
        whole = (formats / name).read_bytes()
        (tmp_path / "cut").write_bytes(whole[: len(whole) * 2 // 3 - 7])  # not between two frames
        assert isinstance(outcome(tmp_path / "cut"), str), name
