"""A study that is killed again and again reports what one without an interruption does."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.common.files import read_json
from tests.conftest import PROJECT_ROOT
from tests.helpers.builders import speakers_folder
from tests.pipeline.benchmarks.study.test_reproduce import write_music

KILLS = 5
SETTINGS = (
    "variants={gru: {model.cell: gru}}",
    "model.hidden_size=6",
    "model.mixture_components=2",
    "train.epochs=3",
    "train.checkpoint_updates=2",
    "train.device=cpu",
)


def start(speech: Path, music: Path, data: Path) -> "subprocess.Popen[bytes]":
    """Start the command in a session of its own, with the processes that it starts."""
    command = [sys.executable, "-m", "pipeline.cli.main", "study", str(speech), "--music", str(music)]
    command += ["--rates", "2", "--seeds", "2", *(part for each in SETTINGS for part in ("--set", each))]
    environment = {**os.environ, "WAVECAST_DATA": str(data)}
    return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, start_new_session=True)


def results(data: Path) -> tuple[str, dict[str, Any]]:
    """The tables without the sentences on seconds, and the figures without times and places."""
    report = data / "reports" / "study" / "study.md"
    tables = "\n".join(line for line in report.read_text().splitlines() if line.startswith("|"))
    found = read_json(report.with_suffix(".json"), "study")
    for part in ("speech", "music"):
        for units in found[part].values():
            for figures in units.values():
                for curve in figures["curves"]:
                    del curve["seconds"]
    return tables, {part: found[part] for part in ("speech", "music", "data", "protocol")}


@pytest.mark.slow
def test_a_study_that_is_killed_at_any_moment_ends_with_the_same_tables(tmp_path: Path) -> None:
    speech, music = speakers_folder(tmp_path / "speech", samples=5_000), write_music(tmp_path / "music")
    began = time.monotonic()
    assert start(speech, music, tmp_path / "whole").wait() == 0
    whole_s = time.monotonic() - began

    killed, finished = 0, dict[Path, int]()
    moments = random.Random(os.environ.get("PYTEST_SEED", "0"))
    while killed < KILLS:
        study = start(speech, music, tmp_path / "killed")
        try:
            ended = study.wait(moments.uniform(0.1, 0.4) * whole_s)
        except subprocess.TimeoutExpired:
            os.killpg(study.pid, signal.SIGKILL)
            study.wait()
            killed += 1
        else:
            assert ended == 0
            break
        now = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").rglob("model.safetensors")}
        assert {path: now.get(path) for path in finished} == finished, "a finished training was repeated"
        finished = now
    assert killed >= 2, "the study ended before it was killed twice"
    assert start(speech, music, tmp_path / "killed").wait() == 0
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    now = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").rglob("model.safetensors")}
    assert {path: now[path] for path in finished} == finished
    assert len(now) == 3 * 3
