"""Runs to be mirrored to MLflow, and what is there of them afterwards."""

import socket
import time
import urllib.request
from pathlib import Path
from typing import Any

from pipeline.config.inputs import InputConfig, WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.config.run import RunConfig, TrackingConfig
from pipeline.features.normalisation import Normalisation
from pipeline.features.representations import representation_of
from pipeline.model.build import build_network
from pipeline.model.storage import save_model
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.pages.metric_names import tracked_name
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.tracking.sync import store_uri

LOSS = "train/nats_per_step"


def new_run(name: str, **tracking: Any) -> RunFolder:
    """A training in progress, with two lines in its journal; keywords go to its tracking section."""
    config = RunConfig(name=name, tracking=TrackingConfig(**tracking))
    run = start_run(config, Path("dataset.json"), "fingerprint", "gru")
    run.set_status("running", device="CPU, 2 threads", parameters={"all": 7})
    for step in (20, 40):
        run.append(step, {"train/nats_per_step": 10.0 / step, "train/learning_rate": 1e-3})
    return run


def add_model(run: RunFolder, kind: InputConfig | None = None, **model: Any) -> None:
    """Give a run an untrained model, and finish it; keywords change its settings."""
    kind = kind or WaveformConfig(sample_rate=2_000)
    settings = ModelConfig(**{"hidden_size": 4, "mixture_components": 2, **model})
    width = representation_of(kind).row_width
    normalisation = Normalisation((0.0,) * width, (1_000.0 if width == 1 else 1.0,) * width)
    weights = build_network(kind, settings, normalisation).state_dict()
    save_model(run.model, weights, kind, settings, normalisation, {})
    run.set_status("finished", summary={"test_bits_per_sample": 6.5})


def mirrored(run: RunFolder, uri: str | None = None) -> Any:
    """The MLflow runs of the experiment: there must be one, and this returns it."""
    client = connect(store_uri(uri))
    experiment = client.get_experiment_by_name(run.config().tracking.experiment)
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    return found


def points(run: RunFolder, key: str, uri: str | None = None) -> list[tuple[int, float, int]]:
    """The points of a curve of the journal as MLflow has them: step, value, time in ms."""
    name = tracked_name(key)
    history = connect(store_uri(uri)).get_metric_history(mirrored(run, uri).info.run_id, name)
    return sorted((point.step, point.value, point.timestamp) for point in history)


def journal_points(run: RunFolder, key: str) -> list[tuple[int, float, int]]:
    """The points that MLflow should have, from the run's own journal."""
    return [(line["step"], line["metrics"][key], line["time_ms"]) for line in run.lines()]


def artifact_names(run: RunFolder, folder: str = "") -> set[str]:
    client, run_id = connect(store_uri()), mirrored(run).info.run_id
    return {file.path for file in client.list_artifacts(run_id, folder or None)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no answer from {url}")
