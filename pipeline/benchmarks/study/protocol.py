"""The protocol of Chung et al. (2014) on sets of sequences, of notes or of samples.

For each set and unit: the best of several learning rates by the validation loss, then further trainings with
it that differ in the seed. The weights of the best validation loss are scored on the test split, which
nothing else reads. Finished trainings are not repeated, and a killed one resumes from its checkpoint.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.benchmarks.study.averages import text_of
from pipeline.common.devices import choose_device
from pipeline.common.files import read_json, write_json
from pipeline.config.loading import trial_config, variant_config
from pipeline.config.run import RunConfig
from pipeline.config.types import Split
from pipeline.data.dataset import open_dataset, split_rows
from pipeline.errors import UserError, reason_of
from pipeline.evaluation.nll import Scores, score
from pipeline.model.storage import load_model
from pipeline.reports.run_artifacts import learning_curve
from pipeline.stages import PREPARE_AGAIN, Fingerprinted, check_splits, prepare_stage
from pipeline.tracking.parents.search_folder import best_run
from pipeline.tracking.run_folder import RunFolder, start_run
from pipeline.training.processes.runners import train_all
from pipeline.tuning.search import run_search

FIGURES = "study.json"
"""Figures of a run, among its artifacts."""


@dataclass(frozen=True)
class Protocol:
    """How each unit is trained on each set.

    Attributes:
        rates: trials of the search for the learning rate.
        seeds: trainings with the best rate, that of the search among them.
        minutes: time in the training loop of a single training; None for no limit.
    """

    rates: int = 10
    seeds: int = 3
    minutes: float | None = None

    def trainings(self, cells: int) -> int:
        """Return the number of trainings of a number of pairs of set and unit."""
        return cells * (self.rates + self.seeds - 1)


Report = Callable[[str], None]


def study_sets(
    sets: Mapping[str, RunConfig], protocol: Protocol, failures: dict[str, str], report: Report
) -> dict[str, Any]:
    """Train and score every variant of the configurations of several sets.

    Args:
        sets: configuration of each set, by its name, with the set as its input.
        protocol: number of trials and seeds, and their time.
        failures: receives the reason of each set or unit that failed, by name.
        report: called with a line for each finished pair of set and unit.

    Returns:
        By set and unit: `settings`, those that were searched; `parameters` of the recurrent layers; `runs`,
        paths of the trainings from the data folder, that of the search first; lists with the nats per step of
        each training, `valid`, `test`, `train` and `test_by_piece`, the last as the mean over pieces, and of
        samples `test_bits` per sample; and their `curves`: updates, seconds and loss of each validation.
    """
    found: dict[str, Any] = {}
    for name, config in sets.items():
        try:
            dataset = prepare_stage(config)
            check_splits(config, dataset)
        except (UserError, OSError) as problem:
            failures[name] = reason_of(problem)
            report(f"{name} failed: {failures[name]}")
            continue
        units: dict[str, Any] = {}
        for unit in config.variants:
            try:
                units[unit] = _study_unit(config, dataset, unit, protocol)
            except (UserError, OSError) as problem:
                failures[f"{name}, {unit}"] = reason_of(problem)
                report(f"{name}, {unit} failed: {reason_of(problem)}")
            else:
                report(f"{name}, {unit}: {text_of(units[unit]['test'])} nats per step on the test split")
        if units:
            found[name] = units
    return found


def _study_unit(config: RunConfig, dataset: Path, unit: str, protocol: Protocol) -> dict[str, Any]:
    own = variant_config(config, unit)
    own = own.model_copy(update={"tuning": own.tuning.model_copy(update={"trials": protocol.rates})})
    own = own.model_copy(update={"train": own.train.model_copy(update={"max_minutes": protocol.minutes})})
    folder, record = run_search(own, dataset, unit)
    best = best_run(folder, record)
    (settings,) = (trial["settings"] for trial in record["trials"] if trial["label"] == record["best"])
    runs = [best, *_trained_with_seeds(own, dataset, unit, settings, protocol.seeds)]
    figures = [_figures(RunFolder(run)) for run in runs]
    lists = {key: [each[key] for each in figures] for key in figures[0]}
    curves = [_curve(RunFolder(run)) for run in runs]
    parameters = RunFolder(best).status()["parameters"]["recurrent"]
    names = {"settings": settings, "parameters": parameters, "runs": [f"runs/{run.name}" for run in runs]}
    return {**names, **lists, "curves": curves}


def _trained_with_seeds(
    config: RunConfig, dataset: Path, unit: str, settings: Mapping[str, Any], seeds: int
) -> Iterator[Path]:
    """Yield the finished runs of all seeds but the first, which is that of the search."""
    fingerprint = str(read_json(dataset, "prepared data set", Fingerprinted, PREPARE_AGAIN)["fingerprint"])
    first = config.train.seed
    runs = [
        start_run(trial_config(config, {**settings, "train.seed": seed}), dataset, fingerprint, unit).path
        for seed in range(first + 1, first + seeds)
    ]
    for _, failed in train_all(runs, config.run):
        if failed is not None:
            raise failed
    yield from runs


def _figures(run: RunFolder) -> dict[str, float]:
    """Return the nats per step of a finished run, from the figures of an earlier call where there are any."""
    path = run.artifacts / FIGURES
    if path.exists():
        return dict(read_json(path, "figures of a run"))
    found = {"valid": float(run.status()["summary"]["valid_nats_per_step"])}
    test = split_scores(run, "test", exact=True)
    scored = test.values > 0
    by_piece = test.nats[scored] / test.values[scored] * test.target_size
    found |= {"test": test.nats_per_step, "test_by_piece": float(by_piece.mean())}
    if test.bits_per_sample is not None:
        found["test_bits"] = test.bits_per_sample
    found["train"] = split_scores(run, "train", exact=False).nats_per_step
    write_json(path, found)
    return found


def _curve(run: RunFolder) -> dict[str, list[float]]:
    """Return the validation losses of a run, with the updates and the seconds of training before each."""
    curve = learning_curve(run)
    return {
        "updates": list(curve.valid_steps),
        "seconds": list(curve.valid_elapsed_s),
        "valid": list(curve.valid),
    }


def split_scores(run: RunFolder, split: Split, exact: bool) -> Scores:
    """Return the likelihoods of a split under a trained run.

    Args:
        run: its folder.
        split: name of the split.
        exact: compute the code length of integer samples too, where the input is samples.
    """
    config = run.config()
    model = load_model(run.model, choose_device(config.train.device))
    dataset = open_dataset(run.dataset, config.input)
    data = split_rows(dataset, split, model.device)
    return score(model.network, data, model.framing, model.normaliser(), exact)
