"""The table of registered models, on a terminal and in a pipe."""

import re

import pytest

from pipeline.cli.text.models import COLUMNS, print_models

VERSION = {
    "name": "wavecast",
    "version": 12,
    "variant": "autoregressive-gru",
    "kind": "waveform",
    "sample_rate": 16_000,
    "metrics": {"valid_nats_per_step": -8.93},
    "valid_bits_per_sample": 9.941,
    "aliases": ["autoregressive-gru", "champion"],
    "run_name": "demo-autoregressive-gru-988ad8c036",
    "created": "2026-11-26 15:31+00:00",
    "promotion": {"outcome": "kept", "verdict": "margin", "why": "the improvement is below the margin"},
    "pinned": True,
}


def test_a_pipe_gets_whole_columns_however_narrow_the_terminal_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_models([VERSION])
    head, line = capsys.readouterr().out.splitlines()
    cells = dict(zip(head.split("\t"), line.split("\t"), strict=True))
    assert tuple(cells) == COLUMNS
    assert cells["model"] == "wavecast/12"
    assert cells["input"] == "waveform 16 kHz"
    assert cells["bits"] == "9.94"
    assert cells["aliases"] == "autoregressive-gru, champion, pinned"
    assert cells["decision"] == "kept: margin"
    assert cells["run"] == VERSION["run_name"]
    assert cells["created"] == "2026-11-26"


def test_a_terminal_of_80_columns_shows_what_tells_models_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_models([VERSION])
    shown = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    for words in ("wavecast/12", "9.94", "-8.93", "champion", "2026-11-26", "16 kHz"):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_wide_terminal_shows_decisions_and_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_models([VERSION])
    shown = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    for words in ("kept: margin", "pinned", str(VERSION["run_name"])):
        assert words in shown
