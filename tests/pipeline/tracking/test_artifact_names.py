"""Names of artifacts are kept by every store, differ where the files' names do, and can be reversed."""

import os
import quopri
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tracking.artifact_names import MOST_BYTES, artifact_name
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import sync
from tests.helpers.tracked_runs import artifact_names, free_port, new_run, wait_for

ODD = ["50%2F?.wav", "a#b.wav", "what?.wav", "%41.wav", "a=b&c;d.wav", "line\nbreak.wav", "ä ö.wav"]


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_names_can_be_reversed(name: str) -> None:
    assert quopri.decodestring(artifact_name(name).encode()).decode() == name


@pytest.mark.parametrize("name", ["sounds/talk.wav", "pictures/Größe 3 (neu)_a-b.png", "evaluation.json"])
def test_ordinary_names_stay(name: str) -> None:
    assert artifact_name(name) == name


def test_names_that_become_too_long_stay_apart() -> None:
    names = [artifact_name("%D0%9F" * 40 + end) for end in ("a.wav", "b.wav")]
    assert all(len(name.encode()) <= MOST_BYTES and name.endswith(".wav") for name in names)
    assert names[0] != names[1]


def test_a_name_that_is_not_unicode_is_sent(local_store: Path, run: RunFolder) -> None:
    write_sounds(run, [os.fsdecode(b"\xff.wav")])
    sync(run)
    assert artifact_names(run, "sounds") == {"sounds/=FF.wav"}


@pytest.mark.slow
def test_a_server_keeps_every_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    environment = {**os.environ, "DO_NOT_TRACK": "true"}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with subprocess.Popen(command, env=environment, cwd=tmp_path, start_new_session=True) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            run = new_run("voice")
            write_sounds(run, ODD)
            sync(run)
            assert artifact_names(run, "sounds") == {f"sounds/{artifact_name(name)}" for name in ODD}
        finally:
            os.killpg(server.pid, 15)


def write_sounds(run: RunFolder, names: list[str]) -> None:
    (run.artifacts / "sounds").mkdir(parents=True)
    for name in names:
        (run.artifacts / "sounds" / name).write_bytes(name.encode("utf-8", "surrogateescape"))
