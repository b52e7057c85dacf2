"""Preparation gives the same bytes whoever converts the recordings, and goes on where it was killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import pipeline.data.preparing.execution as execution
import pipeline.data.preparing.planning as planning
from pipeline.config.preparation import PreparationConfig
from pipeline.config.run import RunConfig
from pipeline.data.manifest import read_manifest
from pipeline.data.preparation import prepare
from pipeline.errors import UserError
from tests.helpers.builders import run_config, speakers_folder
from tests.helpers.clusters.dask_cluster import local_cluster
from tests.helpers.clusters.flaky_s3 import flaky_s3

KEPT = "rows.bin", "moments.bin", "catalogue.jsonl"

SMALL_SHARDS = """
import sys
from pathlib import Path
import pipeline.data.preparing.execution as execution
import pipeline.data.preparing.planning as planning
from pipeline.config.preparation import PreparationConfig
from pipeline.config.run import CorpusConfig, RunConfig
from pipeline.config.inputs import WaveformConfig
from pipeline.data.preparation import prepare

execution.SMALL_BYTES, planning.SHARD_BYTES = 0, int(sys.argv[3])
workers = int(sys.argv[2]) if sys.argv[2].isdigit() else sys.argv[2]
shards = sys.argv[4] if len(sys.argv) > 4 else None
prepare(
    RunConfig(
        corpus=CorpusConfig(inputs=[Path(sys.argv[1])]),
        input=WaveformConfig(sample_rate=8_000),
        preparation=PreparationConfig(workers=workers, shards=shards),
    )
)
"""


def content_of(home: Path) -> dict[str, bytes]:
    """The files of the one store of a data home."""
    (store,) = (home / "prepared").iterdir()
    assert not (store / ".shards").exists()
    data_sets = {path.parent.name: path.read_bytes() for path in store.glob("*/dataset.json")}
    return {name: (store / name).read_bytes() for name in KEPT} | data_sets


def with_workers(config: RunConfig, workers: int | str | None, shards: str | None = None) -> RunConfig:
    return config.model_copy(update={"preparation": PreparationConfig(workers=workers, shards=shards)})


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of a few recordings, and worker processes for any corpus."""
    monkeypatch.setattr(execution, "SMALL_BYTES", 0)
    monkeypatch.setattr(planning, "SHARD_BYTES", 20_000)


@pytest.mark.usefixtures("small_shards")
def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = speakers_folder(tmp_path / "corpus")
    (folder / "speaker-1/text.wav").write_text("no sound")
    (folder / "speaker-9/copy.wav").write_bytes((folder / "speaker-0/0.wav").read_bytes())
    contents = []
    for number, workers in enumerate((1, 3)):
        monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / f"home-{number}"))
        prepare(with_workers(run_config(folder), workers))
        contents.append(content_of(tmp_path / f"home-{number}"))
    assert contents[0] == contents[1]


CRASH = """
import os, sys
import pipeline.data.preparing.shard as shard
import pipeline.data.preparing.worker as worker

original = shard.convert
def convert(source, *rest):
    if source.path.name == "crash.wav":
        os.kill(os.getpid(), 9)
    return original(source, *rest)
shard.convert = convert
worker.main()
"""


@pytest.mark.usefixtures("small_shards")
def test_a_recording_that_ends_each_worker_is_rejected_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = speakers_folder(tmp_path / "corpus", 4)
    (folder / "speaker-2/crash.wav").write_bytes((folder / "speaker-2/0.wav").read_bytes() + b"x")
    original = subprocess.Popen

    def crashing(command: list[str], **more: object) -> object:
        code = (
            [command[0], "-c", CRASH, *command[3:]]
            if "pipeline.data.preparing.worker" in command
            else command
        )
        return original(code, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", crashing)
    path = prepare(with_workers(run_config(folder), 2))
    rejected = {r.path.name: r.refused for r in read_manifest(path.parent / "manifest.jsonl") if r.refused}
    assert rejected == {"crash.wav": "the system ends each process that reads it"}


def test_a_scheduler_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.data.preparing.cluster.CONNECT_SECONDS", 0.5)
    config = with_workers(run_config(speakers_folder(tmp_path / "corpus", 2, 1)), "dask://127.0.0.1:9")
    with pytest.raises(UserError, match=r"dask://127\.0\.0\.1:9: no Dask scheduler answers there"):
        prepare(config)


def started(home: Path, *arguments: object) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "WAVECAST_DATA": str(home)}
    return subprocess.Popen([sys.executable, "-c", SMALL_SHARDS, *map(str, arguments)], env=environment)


@pytest.mark.slow
def test_a_preparation_killed_at_random_gives_the_same_data_set(tmp_path: Path) -> None:
    """25 kills of the process or of a worker, each at a random time."""
    folder = speakers_folder(tmp_path / "corpus", 60, 5, samples=40_000)
    assert started(tmp_path / "whole", folder, 2, 400_000).wait() == 0
    chance = random.Random(0)
    kills = main_kills = round_number = 0
    while kills < 25:
        home = tmp_path / f"killed-{round_number}"
        round_number += 1
        finished = False
        while not finished:
            process = started(home, folder, 2, 400_000)
            ends = time.monotonic() + chance.uniform(0.3, 5.0)
            while process.poll() is None and time.monotonic() < ends:
                time.sleep(0.01)
            if process.poll() is None and kills < 25:
                workers = psutil.Process(process.pid).children()
                victim = chance.choice(workers) if workers and chance.random() < 0.5 else process
                main_kills += victim is process
                kills += 1
                victim.send_signal(signal.SIGKILL)
            finished = process.wait() == 0
        assert content_of(home) == content_of(tmp_path / "whole")
    assert 0 < main_kills < 25


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes_through_a_folder(tmp_path: Path) -> None:
    folder = speakers_folder(tmp_path / "corpus", 20)
    with local_cluster() as cluster:
        arguments = folder, f"dask://{cluster.address}", 20_000
        assert started(tmp_path / "cluster", *arguments).wait() == 0
        assert started(tmp_path / "shared", *arguments, tmp_path / "shards").wait() == 0
    assert started(tmp_path / "alone", folder, 1, 20_000).wait() == 0
    assert content_of(tmp_path / "cluster") == content_of(tmp_path / "alone")
    assert content_of(tmp_path / "shared") == content_of(tmp_path / "alone")


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes_through_a_failing_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = speakers_folder(tmp_path / "corpus", 20)
    assert started(tmp_path / "alone", folder, 1, 20_000).wait() == 0
    with flaky_s3(monkeypatch, failing=0.1) as failures, local_cluster() as cluster:
        arguments = folder, f"dask://{cluster.address}", 20_000, "s3://bucket/shards"
        assert started(tmp_path / "remote", *arguments).wait() == 0
        assert started(tmp_path / "processes", folder, 2, 20_000, "s3://bucket/shards").wait() == 0
    assert len(failures) > 5
    assert content_of(tmp_path / "remote") == content_of(tmp_path / "alone")
    assert content_of(tmp_path / "processes") == content_of(tmp_path / "alone")
