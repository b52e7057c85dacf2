"""The command line, called within this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pipeline.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a call left: exit code, standard output, standard error."""

    code: int
    out: str
    error: str


Run = Callable[..., Outcome]


def caller(monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[Any]) -> Run:
    """What calls `wavecast` with arguments."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["wavecast", *map(str, arguments)])
        capture.readouterr()
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        captured = capture.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def refused(outcome: Outcome, code: int, *words: str) -> None:
    """One line on standard error with these words, nothing on standard output, and the exit code."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    lines = outcome.error.splitlines()
    assert len(lines) == 1, outcome.error
    assert lines[0].startswith("wavecast: ")
    for word in words:
        assert word in lines[0]
