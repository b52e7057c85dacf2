"""The whole study: its sets, the time that it may take, and its report."""

import platform
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.benchmarks.study.protocol import Protocol, study_sets
from pipeline.benchmarks.study.sequences import cut_sequences, speech_configs
from pipeline.benchmarks.study.sets import sets_of_music
from pipeline.benchmarks.study.tables import study_tables
from pipeline.common.files import atomic_path, data_dir, expanded, write_json
from pipeline.config.loading import load_config
from pipeline.config.run import RunConfig
from pipeline.config.types import SPLITS
from pipeline.data.dataset import open_dataset
from pipeline.data.manifest import read_manifest
from pipeline.data.preparing.execution import usable_processors
from pipeline.errors import UserError, VariantsFailed, print_notice, reason_of
from pipeline.plots.runs import learning_curve
from pipeline.reports.run_artifacts import learning_curve as curve_of
from pipeline.tracking.environment import describe_environment
from pipeline.tracking.run_folder import RunFolder

NIGHT_MINUTES = 8 * 60.0


def study(
    speech: Path | None,
    music: Path | None,
    settings: Sequence[str] = (),
    protocol: Protocol | None = None,
    budget_minutes: float | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train and score the units of all sets by the protocol of the paper.

    Args:
        speech: folder of recordings; None leaves the sets of speech out.
        music: folder of sets of music, or one of them; None leaves these out.
        settings: texts `key=value` that change every training.
        protocol: trials and seeds; None: ten learning rates and three seeds.
        budget_minutes: time of all trainings together; None for no limit.
        report: called with a line for each finished pair of set and unit.

    Returns:
        The path of a Markdown file with all tables and verdicts; beside it lie `study.json` and a picture of
        the learning curves of each set.

    Raises:
        UserError: a folder or a setting cannot be used.
        VariantsFailed: sets failed, or units of them; the tables have the others.
    """
    if speech is None and music is None:
        raise UserError("nothing to study: name a folder of recordings, or --music and its sets", exit_code=2)
    for folder in (speech, music):
        if folder is not None and not expanded(str(folder)).exists():
            raise UserError(f"{folder}: no such file or folder")
    # All settings are checked before the first training, which may take hours.
    configs = {
        "speech": speech_configs(speech, settings) if speech else {},
        "music": _music_configs(music, settings) if music else {},
    }
    chosen = protocol or Protocol()
    if budget_minutes is not None:
        cells = sum(len(config.variants) for sets in configs.values() for config in sets.values())
        chosen = replace(chosen, minutes=round(budget_minutes / max(1, chosen.trainings(cells)), 3))
    failures: dict[str, str] = {}
    found = _conditions(configs, chosen, settings)
    found["speech"] = study_sets(_cut(configs["speech"], failures), chosen, failures, report)
    found["music"] = study_sets(configs["music"], chosen, failures, report)
    units_of = {**found["speech"], **found["music"]}
    found["data"] = {name: _data(_first_run(units)) for name, units in units_of.items()}
    folder = data_dir() / "reports" / "study"
    for name, units in units_of.items():
        curves = {unit: curve_of(_first_run({unit: figures})) for unit, figures in units.items()}
        learning_curve(folder / f"{name}.png", curves, "nats per step", logarithmic_x=True)
    write_json(folder / "study.json", found)
    with atomic_path(folder / "study.md") as temporary:
        temporary.write_text("\n".join(study_tables(found)) + "\n")
    if failures:
        named = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise VariantsFailed(f"{named}; {folder / 'study.md'} has the others", folder / "study.md")
    return folder / "study.md"


def minutes_of(budget: str) -> float:
    """Return the minutes of a budget such as `40s`, `10m`, `3h` or `night`, which is eight hours.

    Raises:
        UserError: it is none of these (exit code 2).

    Example:
        >>> minutes_of("30s"), minutes_of("10m"), minutes_of("1.5h"), minutes_of("night")
        (0.5, 10.0, 90.0, 480.0)
    """
    if budget == "night":
        return NIGHT_MINUTES
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget)
    if not found or float(found[1]) == 0:
        raise UserError(
            f"--budget {budget}: write seconds, minutes or hours, such as 10m or 3h, or night", exit_code=2
        )
    return float(found[1]) * {"s": 1 / 60, "m": 1.0, "h": 60.0}[found[2]]


def _conditions(
    configs: Mapping[str, Mapping[str, RunConfig]], protocol: Protocol, settings: Sequence[str]
) -> dict[str, Any]:
    """Return what the figures depend on: command, configuration, seeds, versions, machine, date."""
    inputs = [text for part, text in (("speech", "SPEECH"), ("music", "--music SETS")) if configs[part]]
    options = [f"--rates {protocol.rates}", f"--seeds {protocol.seeds}"]
    options += [shlex.join(("--set", setting)) for setting in settings]
    sections = {"input", "model", "train", "tuning", "variants"}
    every = [config for sets in configs.values() for config in sets.values()]
    first = every[0].train.seed
    return {
        "command": " ".join(["wavecast study", *inputs, *options]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{usable_processors()} processors, {platform.machine()}",
        "versions": describe_environment(),
        "seeds": list(range(first, first + protocol.seeds)),
        "protocol": {"rates": protocol.rates, "seeds": protocol.seeds, "minutes": protocol.minutes},
        "configuration": {config.name: config.model_dump(mode="json", include=sections) for config in every},
    }


def _music_configs(folder: Path, settings: Sequence[str]) -> dict[str, RunConfig]:
    found = {}
    for name, path in sets_of_music(expanded(str(folder)).absolute()).items():
        config = load_config(Path("music"), [*settings, f"name=music-{name}"])
        corpus = config.corpus.model_copy(update={"inputs": [path]})
        found[name] = config.model_copy(update={"corpus": corpus})
    return found


def _cut(configs: Mapping[str, RunConfig], failures: dict[str, str]) -> dict[str, RunConfig]:
    """Return the configurations with their sequences as inputs, without those that cannot be cut."""
    found = {}
    for name, config in configs.items():
        try:
            found[name] = cut_sequences(config)
        except (UserError, OSError) as problem:
            failures[name] = reason_of(problem)
            print_notice(f"{name} failed: {failures[name]}")
    return found


def _first_run(units: Mapping[str, Any]) -> RunFolder:
    """Return the run of the search for the first of several units."""
    return RunFolder(data_dir() / next(iter(units.values()))["runs"][0])


def _data(run: RunFolder) -> dict[str, Any]:
    """Return how many sequences the data set of a run has in each split, and how many it leaves out."""
    dataset = open_dataset(run.dataset, run.config().input)
    sequences = {split: len(dataset.indices(split)) for split in SPLITS}
    records = read_manifest(dataset.path.with_name("manifest.jsonl"))
    return {"sequences": sequences, "left_out": sum(record.refused is not None for record in records)}
