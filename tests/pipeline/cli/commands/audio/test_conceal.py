"""`wavecast conceal` on files: gaps are found, filled and reported; mistakes are one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from cyclopts import App

from pipeline.audio.decode import read_mono
from pipeline.cli.commands.audio.conceal import conceal
from pipeline.concealment.files import GapSource, conceal_file
from pipeline.concealment.gaps import gap_mask
from pipeline.concealment.methods import filler
from pipeline.errors import UserError
from tests.helpers.builders import noise, tone, write_sound

RATE = 8_000
BLEND = filler("blend")


def damaged(count: int = 8_000) -> np.ndarray:
    """A tone without a zero in it, but for two gaps."""
    sound = tone(count)
    sound[sound == 0] = 1
    sound[2_000:2_160] = sound[5_000:5_080] = 0
    return sound


def run(*arguments: str | Path) -> None:
    app = App()
    app.default(conceal)
    app([str(argument) for argument in arguments], exit_on_error=False, result_action="return_value")


def test_gaps_are_filled_and_the_rest_stays(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "in.wav", damaged())
    facts = conceal_file(sound, tmp_path / "out.wav", GapSource(), BLEND, plot=tmp_path / "close.png")
    filled, _ = read_mono(tmp_path / "out.wav", RATE)
    lost = gap_mask(np.array([[2_000, 2_160], [5_000, 5_080]]), 8_000)
    assert np.array_equal(filled[~lost], damaged()[~lost])
    level, around = (np.square(filled[part].astype(float)).mean() for part in (lost, ~lost))
    assert 0.3 * around < level < 1.5 * around
    assert facts["gap_seconds"] == [[0.25, 0.27], [0.625, 0.635]]
    assert facts["longest_gap_seconds"] == 0.02
    assert (tmp_path / "close.png").stat().st_size > 5_000


def test_a_sound_without_gaps_comes_out_bit_for_bit(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "in.flac", tone(3_000))
    facts = conceal_file(
        sound, tmp_path / "out.flac", GapSource(shortest_s=0.01), BLEND, plot=tmp_path / "p.png"
    )
    assert facts["gaps"] == 0
    assert np.array_equal(read_mono(tmp_path / "out.flac", RATE)[0], tone(3_000))


@pytest.mark.parametrize("rate", [16_000, 11_025])
def test_zeros_are_found_before_a_conversion_smears_them(tmp_path: Path, rate: int) -> None:
    sound = write_sound(tmp_path / "in.wav", damaged())
    facts = conceal_file(sound, tmp_path / "out.wav", GapSource(), BLEND, rate)
    assert facts["sample_rate"] == rate
    expected = [[0.248, 0.272], [0.623, 0.637]]
    np.testing.assert_allclose(facts["gap_seconds"], expected, atol=2 / rate)
    filled, _ = read_mono(tmp_path / "out.wav", rate)
    middle = filled[round(0.258 * rate) : round(0.262 * rate)].astype(float)
    assert np.square(middle).mean() > 0.1 * np.square(filled.astype(float)).mean()


def test_by_trace_and_by_table(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "in.wav", noise(8_000))
    (tmp_path / "trace.txt").write_text("0 0 1 1 0")
    (tmp_path / "gaps.csv").write_text("start_s,end_s\n0.02,0.04\n")
    for source, expected in (
        (GapSource(trace=tmp_path / "trace.txt", packet_s=0.01), [[0.02, 0.04]]),
        (GapSource(table=tmp_path / "gaps.csv"), [[0.02, 0.04]]),
    ):
        facts = conceal_file(sound, tmp_path / "out.wav", source, BLEND, overwrite=True)
        assert facts["gap_seconds"] == expected


def test_the_command_reports_on_several_sounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sound(tmp_path / "in" / "a.wav", damaged())
    write_sound(tmp_path / "in" / "b.wav", tone(2_000))
    (tmp_path / "in" / "c.wav").write_text("no sound at all, only words")
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / "in", "-o", tmp_path / "out", "--method", "ar", "--json")
    assert stopped.value.code == 1
    message = capsys.readouterr()
    assert [Path(facts["output"]).name for facts in json.loads(message.out)] == ["a.wav", "b.wav"]
    assert message.err.count("\n") == 1
    assert "c.wav" in message.err
    run(tmp_path / "in" / "a.wav", "-o", tmp_path / "a.flac", "--method", "repeat")
    assert capsys.readouterr().out == f"{tmp_path / 'a.flac'}  2 gaps, 0.03 s in total, the longest 20 ms\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--loss-trace", "none.txt"], "none.txt: no such file"),
        (["--gaps", "none.csv"], "none.csv: no such file"),
        (["--loss-trace", "t", "--gaps", "g"], "--loss-trace and --gaps cannot be combined"),
        (["--packet-ms", "0"], "longer than 0 ms"),
        (["--min-gap-ms", "nan"], "longer than 0 ms"),
        (["--method", "model", "--model", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    sound = write_sound(tmp_path / "in.wav", damaged(4_000))
    with pytest.raises(UserError, match=message):
        run(sound, "-o", tmp_path / "out.wav", *arguments)
    assert not (tmp_path / "out.wav").exists()


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "in.wav", damaged())
    for taken in ("out.wav", "plot.png"):
        (tmp_path / taken).write_text("mine")
        with pytest.raises(UserError, match="exists already"):
            run(sound, "-o", tmp_path / "out.wav", "--plot", tmp_path / "plot.png")
        assert (tmp_path / taken).read_text() == "mine"
        (tmp_path / taken).unlink()
    with pytest.raises(UserError, match="unknown kind"):
        run(sound, "-o", tmp_path / "out.xyz")
    with pytest.raises(UserError, match="name one"):
        run(sound, sound, "-o", tmp_path / "out", "--plot", tmp_path / "plot.png")
