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
import soundfile

from pipeline.promotion.history import Event, History
from pipeline.tracking.pages.start_gain import start_gain
from pipeline.tracking.run_folder import RunFolder
from tests.conftest import PROJECT_ROOT
from tests.helpers.builders import noise, write_sound
from tests.helpers.clusters.services import OTHER_SERVERS, call_wavecast, until
from tests.helpers.faults.checks import problems, under_way
from tests.helpers.tracked_runs import free_port

RATE = 8_000
SPEECH = "speech/librispeech_train-clean-100"
SETTINGS = (
    *("train.epochs=12", "train.learning_rate=1e-2", "train.batch_size=8", "train.warmup_updates=5"),
    *("train.device=cpu", "model.hidden_size=6", "model.mixture_components=2", "samples.count=0"),
    *(f"input.sample_rate={RATE}", "input.hop=16", "corpus.group=folder", "corpus.valid_fraction=0.3"),
    # So small a model varies from speaker to speaker.
    *("promotion.worst_group_loss=0.3", "promotion.fewest_minutes=0.2"),
)
"""The configuration `nightly`, made small: a night takes a minute or two."""
FIRST, SECOND = (20, 3.0), (30, 8.0)
"""Speakers of the two batches, and the seconds of each."""
NOISE = 30
"""Folders of white noise, and of noise that can be predicted in part."""
NIGHT_SECONDS = 900
"""Longest time from the arrival of recordings to the decision."""


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
    found = History("wavecast-nightly").events()
    return list(found) if len(found) >= count else []


def deliver(inbox: Path, speech: Path, first: int, count: int, seconds: float) -> None:
    """Copy the first seconds of so many real speakers into an inbox."""
    for file in sorted(speech.glob("*/*.flac"))[first : first + count]:
        samples, rate = soundfile.read(file, dtype="int16", frames=round(seconds * 2 * RATE))
        assert rate == 2 * RATE
        write_sound(inbox / f"speaker-{file.parts[-2]}" / "0.wav", samples[::2])


@pytest.mark.slow
def test_recordings_in_the_inbox_become_a_champion_without_a_command(
    own_data_dir: Path, shared_data: Path, tmp_path: Path, wavecast: Callable[..., str]
) -> None:
    from mlflow import MlflowClient

    mlflow, prefect = free_port(), free_port()
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    ports = ["--mlflow-port", str(mlflow), "--prefect-port", str(prefect)]
    wavecast("up", "--look-seconds", "2", "--new-minutes", "0.5", *ports, *settings)
    inbox, log = own_data_dir / "incoming", own_data_dir / "services" / "ingest.log"
    deliver(inbox, shared_data / SPEECH, 0, *FIRST)
    (inbox / "cut.wav").write_bytes(b"RIFF no sound")
    (first,) = until("the first champion", NIGHT_SECONDS, lambda: events(1))
    assert first.action == "first"
    assert "not" in (own_data_dir / "quarantine/cut.wav.reason.txt").read_text()
    assert len(list((own_data_dir / "recordings").glob("speaker-*/*.wav"))) == FIRST[0]
    assert not [path for path in inbox.rglob("*") if path.is_file()]
    recording = next((own_data_dir / "recordings").glob("speaker-*/*.wav"))
    wavecast("predict", str(recording), "--seconds", "0.2", "--output", str(tmp_path / "next.wav"))
    assert (tmp_path / "next.wav").stat().st_size > 1_000

    assert_one_of_two_is_dropped(f"http://127.0.0.1:{prefect}/api")
    assert_a_second_ingest_waits()

    deliver(inbox, shared_data / SPEECH, FIRST[0], *SECOND)
    second = until("the decision on the second batch", NIGHT_SECONDS, lambda: events(2))[1]
    assert second.action == "promoted", second
    assert_white_noise_is_not_taken(own_data_dir, inbox)
    assert log.read_text().count("a training is asked for") == 2
    third = decision_on_coloured_noise(inbox)
    assert third.figures["groups"] == len(held_out_speakers(own_data_dir))  # noise does not judge
    assert third.champion == (third.version if third.action == "promoted" else second.champion), third
    assert third.figures["gain"] >= 0.01 or third.action == "kept", third
    until("the end of the night", 300, lambda: not under_way(f"http://127.0.0.1:{prefect}/api"))
    runs = [RunFolder(path.parent) for path in (own_data_dir / "runs").glob("*/start.json")]
    assert len(runs) == 3
    assert sum(start_gain(run.status()) is not None for run in runs) == 2  # these began with the champion
    assert not problems(MlflowClient(f"http://127.0.0.1:{mlflow}"), runs)
    assert log.read_text().count("a training is asked for") == 3


def assert_white_noise_is_not_taken(home: Path, inbox: Path) -> None:
    for number in range(NOISE):
        write_sound(inbox / f"noise-{number}" / "0.wav", noise(5 * RATE, number, 9_000.0))
    until("the quarantine", 300, lambda: len(list(home.glob("quarantine/noise-*/0.wav.reason.txt"))) == NOISE)
    reason = (home / "quarantine/noise-7/0.wav.reason.txt").read_text()
    assert reason.startswith("noise: linear prediction gains 0.2 dB")
    assert not list(home.glob("recordings/noise-*"))


def decision_on_coloured_noise(inbox: Path) -> Event:
    """Deliver noise in which something can be predicted; the figures decide, whatever they are."""
    from scipy.signal import lfilter  # takes seconds

    for number in range(NOISE):
        sound = lfilter([1.0], [1.0, -0.9], noise(5 * RATE, number, 2_000.0))
        write_sound(inbox / f"hiss-{number}" / "0.wav", sound.round().clip(-32_768, 32_767).astype(np.int16))
    return until("the decision on the coloured noise", NIGHT_SECONDS, lambda: events(3))[2]


def held_out_speakers(home: Path) -> set[str]:
    """The speakers among the held-out groups."""
    (path,) = (home / "promotion" / "wavecast-nightly").glob("held-out-*.json")
    groups = {each["group"] for each in json.loads(path.read_text())["recordings"]}
    return {group for group in groups if "speaker-" in group}


def assert_one_of_two_is_dropped(api: str) -> None:
    nightly = ask(f"{api}/deployments/name/wavecast/nightly")["id"]
    runs = [ask(f"{api}/deployments/{nightly}/create_flow_run", {})["id"] for _ in range(2)]

    def ended() -> list[dict[str, Any]] | None:
        found = [ask(f"{api}/flow_runs/{run}") for run in runs]
        return found if all(run["state_type"] in ("COMPLETED", "CANCELLED") for run in found) else None

    found = until("the end of two runs", NIGHT_SECONDS, ended)
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
