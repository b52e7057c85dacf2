"""One bad input never stops a batch: the others are done, each failure is a line, and the exit code is 1."""

import json
import os
from pathlib import Path

import pytest

from tests.helpers.builders import tone, write_sound
from tests.helpers.cli import Run, refused
from tests.helpers.commands import SUFFIXES, arguments


def bad_inputs(folder: Path) -> list[Path]:
    """One input of each kind that cannot be used."""
    folder.mkdir()
    (folder / "empty").mkdir()
    os.mkfifo(folder / "pipe.wav")
    (folder / "nothing.wav").touch()
    (folder / "damaged.wav").write_bytes(b"RIFF\xff\xff\xff\x7fWAVEfmt " + bytes(100))
    (folder / "locked.wav").write_bytes(b"x")
    (folder / "locked.wav").chmod(0)
    (folder / "loop.wav").symlink_to(folder / "loop.wav")
    (folder / "\x1b[31m\u202e\n.wav").write_bytes(b"no sound")
    return [*sorted(folder.iterdir()), folder / "absent.wav", folder / ("x" * 300), Path("/dev/zero")]


@pytest.mark.parametrize("verb", [*SUFFIXES, "doctor"])
def test_the_others_are_done(wavecast: Run, verb: str, good: Path, sound_model: Path, tmp_path: Path) -> None:
    bad = bad_inputs(tmp_path / "bad")
    last = write_sound(tmp_path / "last.wav", tone(800, 1))
    first = good
    if verb == "decompress":
        for sound in (good, last):
            wavecast(*arguments("compress", sound, sound.with_suffix(".wcz"), sound_model))
        first, last = good.with_suffix(".wcz"), last.with_suffix(".wcz")
    output = tmp_path / ("scores.csv" if verb == "score" else "results")
    call: list[object] = ["doctor", "--json", first]
    if verb != "doctor":
        call = [*arguments(verb, first, output, sound_model, "--json")]
    outcome = wavecast(*call, *bad, last)
    assert outcome.code == 1
    content = json.loads(outcome.out)
    if verb == "doctor":
        assert len(content) == len(bad) + 2
        assert [one["has_problem"] for one in content] == [False, *[True] * len(bad), False]
        return
    assert len(outcome.error.splitlines()) == len(bad)
    assert len(content["recordings"] if verb == "score" else content) == 2


@pytest.mark.parametrize("measured", ["conceal", "continuations", "compress"])
def test_a_benchmark_measures_the_others(
    wavecast: Run, measured: str, good: Path, sound_model: Path, tmp_path: Path
) -> None:
    bad = bad_inputs(tmp_path / "bad")
    long = write_sound(tmp_path / "long.wav", tone(12_000, 1))
    options = {
        "conceal": ["--seconds", "0.4"],
        "continuations": ["--seconds", "0.02", "--takes", "2"],
        "compress": [],
    }
    outcome = wavecast("bench", measured, "--json", "-m", sound_model, *options[measured], *bad, long)
    assert outcome.code == 1
    assert json.loads(outcome.out)["recordings"] == 1
    assert len([line for line in outcome.error.splitlines() if line.startswith("wavecast: ")]) == len(bad)
    nothing = wavecast("bench", measured, "-m", sound_model, *bad)
    assert (nothing.code, nothing.out) == (1, "")
    if measured == "continuations":
        refused(wavecast("bench", measured, "-m", sound_model, long, "--takes", "1"), 2, "--takes 2")
