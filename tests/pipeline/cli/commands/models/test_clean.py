"""`wavecast clean` lists what it removes, and removes nothing with `--dry-run`."""

import json
import os
from pathlib import Path

import pytest

from tests.helpers.cli import Run


@pytest.fixture
def remnant(own_data_dir: Path) -> Path:
    path = own_data_dir / "reports" / ".summary\x1b-0123abcd.json"
    path.parent.mkdir()
    path.write_bytes(b"{" * 5_000)
    os.utime(path, (1e9, 1e9))
    return path


def test_a_dry_run_removes_nothing(wavecast: Run, remnant: Path) -> None:
    done = wavecast("clean", "--dry-run")
    assert (done.code, remnant.exists()) == (0, True)
    assert ".summary\\x1b-0123abcd.json" in done.out
    assert "would be removed." in done.out


def test_what_is_listed_is_removed(wavecast: Run, remnant: Path) -> None:
    listed = {
        each["path"]: each for each in json.loads(wavecast("clean", "--dry-run", "--json").out)["found"]
    }
    assert not listed[str(remnant)]["removed"]
    assert listed[str(remnant)]["bytes"] >= 5_000
    remnant.with_name("summary.json").write_text("{}")
    assert "removed." in wavecast("clean").out
    assert [path.name for path in remnant.parent.iterdir()] == ["summary.json"]


def test_an_impossible_age_is_one_line(wavecast: Run) -> None:
    done = wavecast("clean", "--older-than", "-1")
    assert done.code == 2
    assert done.error.count("\n") == 1
