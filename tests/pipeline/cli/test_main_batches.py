"""One bad input never stops a batch: the others are done, each failure is a line, and the exit code is 1."""

import json
import os
from pathlib import Path

import pytest

from tests.helpers.builders import tone, write_sound
from tests.helpers.cli import Run
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
