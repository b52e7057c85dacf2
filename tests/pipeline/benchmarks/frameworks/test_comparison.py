"""All methods train on the chunks that wavecast trains on, and a failed training is one line."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.benchmarks.frameworks.comparison import bench_frameworks, comparable, prepared_windows
from pipeline.benchmarks.frameworks.methods import Method, chosen_methods
from pipeline.benchmarks.frameworks.task import steps_of
from pipeline.config.run import RunConfig
from pipeline.data.batching import batches, independent_plan
from pipeline.data.dataset import split_rows
from pipeline.errors import UserError
from pipeline.features.normaliser import Normaliser
from tests.helpers.builders import prepared, run_config, speakers_folder


def small_config(folder: Path, **train: object) -> RunConfig:
    config = run_config(speakers_folder(folder, samples=2_000), valid_fraction=0.2)
    model, sizes = {"hidden_size": 8, "mixture_components": 3}, {"batch_size": 4, "bptt_steps": 20}
    return comparable(RunConfig.model_validate({**dict(config), "model": model, "train": {**sizes, **train}}))


def test_the_training_windows_are_the_chunks_of_wavecast(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    dataset = prepared(config)
    windows, settings = prepared_windows(config, dataset, seconds=1)
    inputs, targets = steps_of(windows["train"], settings, settings.window)
    framing = dataset.representation.framing(config.model)
    data = split_rows(dataset, "train", torch.device("cpu"))
    steps = framing.steps(data.length).numpy()
    plan = independent_plan(steps, 4, 20, np.random.default_rng(0))
    normaliser = Normaliser(dataset.representation, dataset.normalisation, data.rows.device)
    found = {}
    for batch in batches(plan, data, framing, normaliser):
        for seen, chunk in zip(batch.inputs, batch.targets, strict=True):
            found[chunk.numpy().tobytes()] = seen.numpy()
    assert len(targets) > 20
    for seen, chunk in zip(inputs, targets, strict=True):
        np.testing.assert_allclose(found[chunk.tobytes()], seen)


def test_settings_that_other_frameworks_lack_are_left_out(tmp_path: Path) -> None:
    found = small_config(tmp_path, learning_rate=3e-3, state="carried", weight_noise=0.1)
    assert (found.train.state, found.train.weight_noise, found.train.learning_rate) == ("reset", 0, 3e-3)
    assert found.model.hidden_size == 8
    with pytest.raises(UserError, match="gru and lstm"):
        comparable(RunConfig.model_validate({"model": {"cell": "tanh"}}))
    with pytest.raises(UserError, match="waveform"):
        comparable(RunConfig.model_validate({"input": {"kind": "spectrogram"}}))


@pytest.mark.slow
def test_methods_alternate_and_are_compared_with_the_first(tmp_path: Path) -> None:
    config, lines = small_config(tmp_path), list[str]()
    path = prepared(config).path
    figures = bench_frameworks(config, path, chosen_methods([]), seconds=0.5, rounds=2, report=lines.append)
    assert [line.split(":")[0] for line in lines] == [
        f"round {number}, {name}" for number in (1, 2) for name in ("wavecast", "wavecast, autoregressive")
    ]
    plain, autoregressive = figures["methods"]
    assert plain["times_slower"] == 1
    assert plain["updates"] > 1
    assert autoregressive["nats_per_step"] < plain["nats_per_step"], "tones are linear"
    for row in figures["methods"]:
        low, high = row["nats_range"]
        assert low <= row["nats_per_step"] <= high
        assert low != high, "each round has a seed of its own"


def test_a_training_that_fails_is_one_line(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    absent = [(Method("Absent", "with_absent"), sys.executable)]
    with pytest.raises(UserError, match=r"Absent: the training failed: .*with_absent"):
        bench_frameworks(config, prepared(config).path, absent, seconds=1, rounds=1)


def test_too_few_recordings_are_one_line(tmp_path: Path) -> None:
    config = small_config(tmp_path, bptt_steps=2_000)
    with pytest.raises(UserError, match="too few recordings"):
        bench_frameworks(config, prepared(config).path, chosen_methods([]), seconds=1, rounds=1)
