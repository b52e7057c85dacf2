"""From an empty inbox to a champion with real servers; a second batch, noise, and two of everything."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.promotion.history import Event, History
from tests.conftest import PROJECT_ROOT
from tests.helpers.builders import noise, write_sound
from tests.helpers.clusters.services import OTHER_SERVERS, call_wavecast, until
from tests.helpers.sounds import write_noisy_tones
from tests.helpers.tracked_runs import free_port

SETTINGS = (
    *("train.epochs=4", "train.start_from=champion", "train.max_minutes=1", "train.device=cpu"),
    *("model.hidden_size=8", "model.mixture_components=2", "samples.count=0", "input.sample_rate=8000"),
)


@pytest.fixture
def wavecast(own_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    for name in OTHER_SERVERS:
        monkeypatch.delenv(name, raising=False)
    yield call_wavecast
    call_wavecast("down")


def ask(address: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def events(count: int) -> list[Event]:
    found = History("wavecast").events()
    return list(found) if len(found) >= count else []


@pytest.mark.slow
def test_recordings_in_the_inbox_become_a_champion_without_a_command(
    own_data_dir: Path, tmp_path: Path, wavecast: Callable[..., str]
) -> None:
    port = free_port()
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    ports = ["--mlflow-port", str(free_port()), "--prefect-port", str(port)]
    wavecast("up", "--config", "base", "--look-seconds", "2", "--new-minutes", "0.1", *ports, *settings)
    inbox, log = own_data_dir / "incoming", own_data_dir / "services" / "ingest.log"
    for speaker in range(10):
        write_noisy_tones(inbox / f"speaker-{speaker}", 2, 0.6 + 0.05 * speaker, 8_000)
    (inbox / "speaker-0" / "cut.wav").write_bytes(b"RIFF no sound")
    (first,) = until("the first champion", 300, lambda: events(1))
    assert first.action == "first"
    assert "not" in (own_data_dir / "quarantine/speaker-0/cut.wav.reason.txt").read_text()
    assert len(list((own_data_dir / "recordings").glob("speaker-*/*.wav"))) == 20
    assert not [path for path in inbox.rglob("*") if path.is_file()]
    recording = next((own_data_dir / "recordings").glob("speaker-*/*.wav"))
    wavecast("predict", str(recording), "--seconds", "0.2", "--output", str(tmp_path / "next.wav"))
    assert (tmp_path / "next.wav").stat().st_size > 1_000

    assert_one_of_two_is_dropped(f"http://127.0.0.1:{port}/api")
    assert_a_second_ingest_waits()

    for speaker in range(10, 16):
        write_noisy_tones(inbox / f"speaker-{speaker}", 2, 0.6 + 0.05 * speaker, 8_000)
    second = until("the decision on the second batch", 300, lambda: events(2))[1]
    assert second.action in ("promoted", "kept")
    assert second.why
    for speaker in range(6):
        sound = noise(8_000, speaker, 9_000.0).astype(np.int16)
        write_sound(inbox / f"noise-{speaker}" / "0.wav", sound)
    third = until("the decision on the noise", 300, lambda: events(3))[2]
    assert third.action == "kept", third
    assert third.champion == second.champion
    started = [json.loads(path.read_text()) for path in (own_data_dir / "runs").glob("*/start.json")]
    assert sorted(each["anew_because"] is None for each in started) == [False, True, True]
    assert log.read_text().count("a training is asked for") == 3


def assert_one_of_two_is_dropped(api: str) -> None:
    nightly = ask(f"{api}/deployments/name/wavecast/nightly")["id"]
    runs = [ask(f"{api}/deployments/{nightly}/create_flow_run", {})["id"] for _ in range(2)]

    def ended() -> list[dict[str, Any]] | None:
        found = [ask(f"{api}/flow_runs/{run}") for run in runs]
        return found if all(run["state_type"] in ("COMPLETED", "CANCELLED") for run in found) else None

    found = until("the end of two runs", 300, ended)
    assert sorted(run["state_type"] for run in found) == ["CANCELLED", "COMPLETED"]
    (dropped,) = [run for run in found if run["state_type"] == "CANCELLED"]
    assert "concurrency limit" in dropped["state"]["message"]


def assert_a_second_ingest_waits() -> None:
    command = [sys.executable, "-m", "flows.ingest"]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, env=os.environ, stderr=subprocess.PIPE) as other:
        assert other.stderr is not None
        try:
            lines = iter(other.stderr.readline, b"")
            assert any(b"waiting for another process" in line for line in lines)
        finally:
            other.kill()
