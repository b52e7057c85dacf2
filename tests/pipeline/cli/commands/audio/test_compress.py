"""`wavecast compress` and `wavecast decompress`: integers are restored exactly, or an error is one line."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.commands.audio.compress import compress
from pipeline.cli.commands.audio.decompress import decompress
from pipeline.compression.codec import CodingModel, compress_sound, decompress_sound, needs_model
from pipeline.compression.container import open_coded
from pipeline.compression.pcm_files import DEPTHS, IntegerSound, examine, read_integers
from pipeline.errors import RecordingRejected, UserError
from tests.helpers.builders import tone, write_sound
from tests.helpers.coded_files import integers

BEGINNING = 2_000  # samples, an eighth of a second at 16 kHz


def round_trip(coding: CodingModel | None, source: Path, folder: Path, suffix: str = ".wav") -> int:
    """Check that all integers come back; return the bytes that they took."""
    packed, back = folder / "packed.wcz", folder / f"back{suffix}"
    done = compress_sound(coding, source, packed)
    assert decompress_sound(coding, packed, back) == done.sound == examine(source) == examine(back)
    assert needs_model(packed) == (coding is not None)
    assert np.array_equal(integers(back), integers(source))
    return done.bytes_after


@pytest.mark.thinned(2)
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(
    ("encoding", "depth"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24), ("PCM_32", 32)]
)
def test_any_depth_and_channels(
    tmp_path: Path, coding: CodingModel, channels: int, encoding: str, depth: int
) -> None:
    random = np.random.default_rng(depth)
    loud = random.integers(-(1 << 31), 1 << 31, (300, channels), dtype=np.int64).astype(np.int32)
    loud[::2] >>= 7
    loud[0], loud[1] = -(1 << 31), (1 << 31) - 1
    source = write_sound(tmp_path / "a.wav", loud, 8_000, encoding)
    for suffix in (".wav", ".aiff") if depth == 32 else (".wav", ".aiff", ".flac"):
        round_trip(coding, source, tmp_path / suffix, suffix)
    round_trip(None, source, tmp_path)


@pytest.mark.parametrize("frames", [1, 2, 9, 10, 11])
def test_the_shortest_recordings(tmp_path: Path, coding: CodingModel, frames: int) -> None:
    round_trip(coding, write_sound(tmp_path / "a.wav", tone(frames)), tmp_path)


def test_recordings_of_several_blocks(
    tmp_path: Path, coding: CodingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.compression.codec.BLOCK_FRAMES", 128)
    source = write_sound(tmp_path / "a.wav", np.stack([tone(1_003), tone(1_003, 1)], 1))
    round_trip(coding, source, tmp_path)
    with open_coded(tmp_path / "packed.wcz") as (header, blocks):
        assert header.block_frames == 120  # whole steps of 10
        assert len(list(blocks)) == 2 * 9


def test_low_bits_that_are_empty_take_nothing(tmp_path: Path, coding: CodingModel) -> None:
    samples = tone(3_000)
    plain = round_trip(coding, write_sound(tmp_path / "a.wav", samples), tmp_path)
    wide = write_sound(tmp_path / "b.wav", samples.astype(np.int32) << 16, subtype="PCM_24")
    assert round_trip(coding, wide, tmp_path) < plain + 50


@pytest.mark.parametrize(
    ("subtype", "unused"), [("PCM_16", 8), ("PCM_24", 3), ("PCM_32", 21), ("PCM_16", 15)]
)
def test_bits_that_no_sample_uses_are_left_out(
    tmp_path: Path, coding: CodingModel, subtype: str, unused: int
) -> None:
    """Noise in the bits above them takes no more than these bits, whatever the file's depth."""
    depth = int(subtype[-2:])
    used = depth - unused
    random = np.random.default_rng(unused).integers(-(1 << used - 1), 1 << used - 1, 2_000)
    samples = (random << (32 - used)).astype(np.int32)
    source = write_sound(tmp_path / "a.wav", samples, subtype=subtype)
    assert examine(source).unused_bits == unused
    for model in (coding, None):
        assert round_trip(model, source, tmp_path) < 2_000 * (used + 0.8) / 8 + 600


SCALED = {
    "gain": (tone(6_000) // 20 * 1.7, "PCM_16"),
    "loud gain, clipped": (np.clip(tone(6_000) * 5.3, -32_768, 32_767), "PCM_16"),
    "8 bits with an offset": ((tone(6_000) & -256) + 37, "PCM_16"),
    "16 bits in 24": (tone(6_000).astype(np.int64) // 8 * 8 * 217.3 / 256, "PCM_24"),
    "16 bits in 32": (tone(6_000).astype(np.int64) // 8 * 8 * 1.01, "PCM_32"),
    "two values": (np.sign(tone(6_000)) * 12_345, "PCM_16"),
    "one value": (np.full(6_000, 12_345), "PCM_16"),
}


@pytest.mark.parametrize("name", SCALED)
def test_values_that_never_occur_get_no_probability(
    tmp_path: Path, coding: CodingModel, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, encoding = SCALED[name]
    depth = int(encoding[-2:])
    shifted = np.rint(np.stack([samples, samples[::-1]], 1) * 2.0 ** (depth - 16)).astype(np.int64)
    source = write_sound(tmp_path / "a.wav", (shifted << (32 - depth)).astype(np.int32), subtype=encoding)
    for model in (coding, None):
        with_set = round_trip(model, source, tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr("pipeline.coding.layout.packed_values", lambda *_, **__: b"")
            without = round_trip(model, source, tmp_path)
        assert with_set < without or (name == "one value" and with_set == without)


def test_eight_bits_take_less_than_eight(tmp_path: Path, coding: CodingModel) -> None:
    source = write_sound(tmp_path / "a.wav", tone(20_000), subtype="PCM_U8")
    assert round_trip(coding, source, tmp_path) < 20_000


def readable() -> list[str]:
    """Return the shared files of integers, by the table beside them."""
    table = Path(__file__).resolve().parents[6] / "shared" / "data" / "formats" / "manifest.csv"
    if not table.is_file():
        return []
    with table.open() as file:
        return [row["path"] for row in csv.DictReader(file) if row["subtype"] in DEPTHS]


def examined(coding: CodingModel, source: Path) -> IntegerSound | None:
    """Return a file's properties; None where it is damaged, which `compress` must report too."""
    try:
        return examine(source)
    except RecordingRejected:
        target = source.with_suffix(".never")
        with pytest.raises(RecordingRejected):
            compress_sound(coding, source, target)
        assert not target.exists()
        return None


@pytest.mark.thinned(6)
@pytest.mark.parametrize("name", readable())
def test_the_beginning_of_every_readable_file(
    tmp_path: Path, shared_data: Path, coding: CodingModel, name: str
) -> None:
    import soundfile

    source = shared_data / "formats" / name
    if (sound := examined(coding, source)) is None:
        return
    start = next(read_integers(source, BEGINNING // sound.channels)) << (32 - sound.depth)
    encoding = {8: "PCM_U8", 16: "PCM_16", 24: "PCM_24", 32: "PCM_32"}[sound.depth]
    beginning = tmp_path / "beginning.wav"
    soundfile.write(beginning, start, sound.sample_rate, subtype=encoding)
    round_trip(coding, beginning, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", readable())
def test_the_whole_of_every_readable_file(
    tmp_path: Path, shared_data: Path, coding: CodingModel, name: str
) -> None:
    source = shared_data / "formats" / name
    if examined(coding, source):
        round_trip(coding, source, tmp_path)


def test_commands_do_single_files_and_folders(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(model_folder)
    for number in range(3):
        write_sound(tmp_path / "in" / f"{number}.flac", tone(500, number))
    one = str(tmp_path / "in" / "0.flac")
    compress((one,), output=tmp_path / "0.wcz", model=model, json=True)
    facts = json.loads(capsys.readouterr().out)
    assert facts["bytes"] == (tmp_path / "0.wcz").stat().st_size
    assert facts["bits_per_sample"] == pytest.approx(8 * facts["bytes"] / 500)
    assert facts["ratio_to_16_bit"] == pytest.approx(1_000 / facts["bytes"])
    decompress((str(tmp_path / "0.wcz"),), output=tmp_path / "0.aiff", model=model)
    assert np.array_equal(integers(tmp_path / "0.aiff")[:, 0], tone(500, 0))

    compress((str(tmp_path / "in"),), output=tmp_path / "packed", model=model)
    assert capsys.readouterr().out.count("bits per sample") == 3
    decompress((str(tmp_path / "packed"),), output=tmp_path / "out", model=model, json=True)
    assert len(json.loads(capsys.readouterr().out)) == 3
    for number in range(3):
        assert np.array_equal(integers(tmp_path / "out" / f"{number}.wav")[:, 0], tone(500, number))


def test_commands_need_no_model_for_the_adaptive_predictor_alone(
    tmp_path: Path, own_data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The test's own data folder has no model."""
    for number in range(2):
        write_sound(tmp_path / "in" / f"{number}.flac", tone(500, number))
    compress((str(tmp_path / "in"),), output=tmp_path / "packed", fast=True)
    assert capsys.readouterr().out.count("bits per sample") == 2
    decompress((str(tmp_path / "packed"),), output=tmp_path / "out")
    for number in range(2):
        assert np.array_equal(integers(tmp_path / "out" / f"{number}.wav")[:, 0], tone(500, number))
    with pytest.raises(UserError, match="leave out --model"):
        compress((str(tmp_path / "in"),), output=tmp_path / "packed", fast=True, model="any")


def test_commands_report_errors_and_process_the_rest(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sound(tmp_path / "in" / "good.wav", tone(100))
    write_sound(tmp_path / "in" / "lossy.ogg", tone(800), subtype="VORBIS")
    with pytest.raises(SystemExit) as ended:
        compress((str(tmp_path / "in"),), output=tmp_path / "packed", model=str(model_folder))
    assert ended.value.code == 1
    assert [path.name for path in (tmp_path / "packed").iterdir()] == ["good.wcz"]
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "lossy.ogg" in message


def test_commands_never_overwrite_unasked(tmp_path: Path, model_folder: Path) -> None:
    source, target = write_sound(tmp_path / "a.wav", tone(100)), tmp_path / "a.wcz"
    target.write_text("precious")
    with pytest.raises(UserError, match="--overwrite"):
        compress((str(source),), output=target, model=str(model_folder))
    assert target.read_text() == "precious"
    compress((str(source),), output=target, model=str(model_folder), overwrite=True)
    with pytest.raises(UserError, match="--overwrite"):
        decompress((str(target),), output=source, model=str(model_folder))
    with pytest.raises(UserError, match="unknown kind of sound file"):
        decompress((str(target),), output=tmp_path / "a.mp3", model=str(model_folder))


@pytest.mark.slow
def test_a_killed_compression_leaves_no_result(tmp_path: Path, model_folder: Path) -> None:
    source = write_sound(tmp_path / "a.wav", tone(3_000_000))
    code = (
        "import sys; from pathlib import Path; from pipeline.cli.commands.audio.compress import compress; "
        "compress((sys.argv[1],), output=Path(sys.argv[2]), model=sys.argv[3])"
    )
    target = tmp_path / "out" / "a.wcz"
    command = [sys.executable, "-c", code, str(source), str(target), str(model_folder)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    while not (target.parent.is_dir() and any(path.stat().st_size for path in target.parent.iterdir())):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not target.exists()


@pytest.mark.slow
def test_another_kind_of_processor_finds_the_same_numbers(
    tmp_path: Path, model_folder: Path, coding: CodingModel
) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.compression.codec import CodingModel; "
        "print(CodingModel.load(Path(sys.argv[1]), '').arithmetic)"
    )
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code, str(model_folder)]
    environment = {**os.environ, **plain, "PYTHONPATH": str(Path.cwd())}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == coding.arithmetic
