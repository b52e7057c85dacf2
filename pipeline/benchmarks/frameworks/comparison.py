"""Speed and held-out likelihood of wavecast's training and of other frameworks', at equal processor time."""

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.benchmarks.frameworks.methods import Method, interpreter_environment
from pipeline.benchmarks.frameworks.task import Settings, cut, write_settings, write_windows
from pipeline.benchmarks.frameworks.worker import RESULT
from pipeline.common.files import write_json
from pipeline.config.run import RunConfig
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.errors import UserError
from pipeline.features.representations import representation_of

CELLS = ("gru", "lstm")
CONTEXT_SHARE = 0.2
"""Part of a held-out window that is not scored, so that every method has a context."""
MOST_HELD_OUT = 400
MOST_MINUTES = 60


def bench_frameworks(
    config: RunConfig,
    dataset_path: Path,
    methods: Sequence[tuple[Method, str]],
    *,
    seconds: float,
    rounds: int,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train with every method for the same processor time, on one thread of a CPU, and score all alike.

    Methods alternate: each round trains all of them once, with the round's number as the seed.

    Args:
        config: see `comparable`.
        dataset_path: the prepared data set.
        methods: each with the interpreter that runs it; the first is the one that others are compared with.
        seconds: processor time of a training.
        rounds: number of trainings with each method.
        report: called with a line about each training.

    Returns:
        ``what`` was trained on, and ``methods``: the medians of steps per second and nats per step of each,
        with the ranges of the latter, and ``times_slower`` than the first.

    Raises:
        UserError: the recordings are too few or too long, or a training failed.
    """
    dataset = open_dataset(dataset_path, config.input)
    windows, settings = prepared_windows(config, dataset, seconds)
    found: dict[str, list[dict[str, float]]] = {method.name: [] for method, _ in methods}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_windows(folder, windows["train"], windows["valid"])
        sections = config.model_dump(mode="json", include={"input", "model", "train"})
        write_json(folder / "wavecast.json", {**sections, "dataset": str(dataset_path.absolute())})
        for seed in range(rounds):
            for method, python in methods:
                write_settings(folder, replace(settings, seed=seed, **method.changes))
                result = _train(method, python, folder)
                found[method.name].append(result)
                report(
                    f"round {seed + 1}, {method.name}: {result['steps_per_second']:,.0f} steps/s, "
                    f"{result['nats_per_step']:.2f} nats per step"
                )
    samples = len(windows["train"]) * config.train.bptt_steps * settings.hop
    minutes = samples / dataset.representation.row_rate_hz / 60
    return {
        "what": f"{settings.cell}, {settings.hidden_size} units, {settings.batch_size} windows of "
        f"{config.train.bptt_steps} steps, {seconds:g} s of one thread, {rounds} round(s), "
        f"{minutes:.1f} min to train on, {len(windows['valid'])} held-out windows",
        "methods": list(_rows(found)),
    }


def comparable(config: RunConfig) -> RunConfig:
    """Return the configuration without what other frameworks do not have.

    Kept are the recordings and the input, and of model and training: cell and size of one layer, components,
    batch size, steps, learning rate and clipping. Each window is trained on from an empty state.

    Raises:
        UserError: no framework has its kind of input or its cell.
    """
    if not representation_of(config.input).rows_are_samples:
        raise UserError("bench frameworks compares models of samples: set input.kind=waveform", 2)
    if config.model.cell not in CELLS:
        raise UserError(f"bench frameworks compares model.cell={' and '.join(CELLS)}", 2)
    model = config.model.model_dump(include={"cell", "hidden_size", "mixture_components", "scale_floor"})
    train = config.train.model_dump(include={"batch_size", "bptt_steps", "learning_rate", "clip_norm"})
    alone = {"state": "reset", "schedule": "constant", "warmup_updates": 0, "device": "cpu"}
    sections = {"model": model, "train": {**train, **alone}}
    return RunConfig.model_validate({"corpus": config.corpus, "input": config.input, **sections})


def prepared_windows(
    config: RunConfig, dataset: Dataset, seconds: float
) -> tuple[dict[str, np.ndarray], Settings]:
    """Return the windows of training and validation split, and the settings that all methods share.

    Raises:
        UserError: a split is longer than an hour, or there is less than a batch and a held-out window.
    """
    settings = _settings(config, dataset, seconds)
    windows = {split: _windows(config, dataset, split, settings) for split in ("train", "valid")}
    if len(windows["train"]) < settings.batch_size or not len(windows["valid"]):
        raise UserError("too few recordings: a batch of windows and one held-out window are needed")
    return windows, settings


def _settings(config: RunConfig, dataset: Dataset, seconds: float) -> Settings:
    model, train = config.model, config.train
    framing = dataset.representation.framing(model)
    longest = dataset.representation.framing(model.model_copy(update={"covariance": "autoregressive"}))
    return Settings(
        cell=model.cell,
        hidden_size=model.hidden_size,
        covariance=model.covariance,
        components=model.mixture_components,
        scale_floor=model.scale_floor * dataset.representation.quantisation_step(dataset.normalisation),
        window=framing.window,
        lead=longest.window,
        hop=framing.hop,
        context=max(1, int(CONTEXT_SHARE * train.bptt_steps)) * framing.hop,
        batch_size=train.batch_size,
        learning_rate=train.learning_rate,
        clip_norm=train.clip_norm,
        seed=0,
        seconds=seconds,
    )


def _windows(config: RunConfig, dataset: Dataset, split: Any, settings: Settings) -> np.ndarray:
    """Return windows of a split: of training, the chunks of wavecast; held out, each sample scored once."""
    chosen = dataset.require(split)
    minutes = dataset.length[chosen].sum() / dataset.representation.row_rate_hz / 60
    if minutes > MOST_MINUTES:
        raise UserError(f"{minutes:.0f} minutes in the {split} split, {MOST_MINUTES} at most: name fewer", 2)
    steps = config.train.bptt_steps * settings.hop
    length = settings.lead + steps
    if split == "train":
        return cut(_samples(dataset, chosen, settings.lead), length, steps)
    windows = cut(_samples(dataset, chosen, 0), length, steps - settings.context)
    return windows[:: -(-len(windows) // MOST_HELD_OUT) or 1]


def _samples(dataset: Dataset, chosen: np.ndarray, zeros: int) -> Iterator[np.ndarray]:
    """Yield the normalised samples of recordings, with some zeros before each."""
    mean, std = dataset.normalisation.mean[0], dataset.normalisation.std[0]
    for index in chosen:
        rows = dataset.recording_rows(int(index))[:, 0].numpy().astype(np.float32)
        yield np.pad((rows * dataset.representation.unit - mean) / std, (zeros, 0)).astype(np.float32)


def _train(method: Method, python: str, folder: Path) -> dict[str, float]:
    """Return the result of one training in a process of its own."""
    command = [python, "-m", "pipeline.benchmarks.frameworks.worker", method.module, str(folder)]
    environment = interpreter_environment(method, python, folder)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UserError(f"{method.name}: the training failed: {reason}")
    result: dict[str, float] = json.loads((folder / RESULT).read_text())
    return result


def _rows(found: dict[str, list[dict[str, float]]]) -> Iterator[dict[str, Any]]:
    """Yield the medians of each method; ratios are those of the same round."""
    first = next(iter(found.values()))
    for name, results in found.items():
        ratios = [
            ours["steps_per_second"] / theirs["steps_per_second"]
            for ours, theirs in zip(first, results, strict=True)
        ]
        nats = sorted(result["nats_per_step"] for result in results)
        keys = ("updates", "steps_per_second", "wall_steps_per_second", "nats_per_step")
        yield {
            "method": name,
            **{key: statistics.median(result[key] for result in results) for key in keys},
            "times_slower": statistics.median(ratios),
            "nats_range": [nats[0], nats[-1]],
        }
