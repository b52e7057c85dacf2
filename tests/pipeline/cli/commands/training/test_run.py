"""`wavecast run`: how its names are read, and what is checked before anything slow."""

import sys
from pathlib import Path

import pytest

from pipeline.cli.config_arguments import split_configuration
from tests.helpers.cli import Run, refused

BASE = Path("base")


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ((), (BASE, ())),
        (("talks",), (BASE, ("talks",))),
        (("demo",), ("demo", ())),
        (("demo", "talks"), ("demo", ("talks",))),
        (("mine.yaml", "talks", "more"), ("mine.yaml", ("talks", "more"))),
        (("./demo", "talks"), (BASE, ("./demo", "talks"))),
    ],
)
def test_the_first_name_may_be_a_configuration(
    named: tuple[str, ...],
    expected: tuple[str | Path, tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config, recordings = split_configuration(BASE, named)
    assert (config, recordings) == (Path(expected[0]), tuple(map(Path, expected[1])))


def test_a_name_that_could_be_both_is_read_by_what_follows_and_that_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert split_configuration(BASE, ("demo",)) == (BASE, (Path("demo"),))
    assert "demo is read as recordings" in capsys.readouterr().err
    assert split_configuration(BASE, ("demo", "x")) == (Path("demo"), (Path("x"),))
    assert "demo is read as a configuration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, ["no recordings named"]),
        (["base"], 2, ["no recordings named"]),
        (["absent"], 1, ["absent: no such file or folder"]),
        (["words"], 1, ["none of 1 files", "talk.wav"]),
        (["words", "--set", "train.epoch=3"], 2, ["--set train.epoch: unknown key", "train.epochs"]),
    ],
)
def test_what_is_wrong_is_one_line_before_prefect_is_imported(
    wavecast: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "talk.wav").write_text("only words")
    monkeypatch.setitem(sys.modules, "flows.pipeline", None)  # whose import would fail
    refused(wavecast("run", *arguments), code, *words)
