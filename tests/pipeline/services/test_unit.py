"""The systemd unit is one that systemd reads as meant."""

import configparser
from pathlib import Path

import pytest

from pipeline.services.unit import unit_text


def test_a_home_with_odd_characters_is_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / '50% "odd" home'))
    unit = configparser.RawConfigParser()
    unit.read_string(unit_text())
    assert unit["Service"]["environment"].endswith('/50%% \\"odd\\" home"')
    assert unit["Service"]["execstart"].endswith("-m pipeline.services.supervisor")
    assert unit["Install"]["wantedby"] == "default.target"
