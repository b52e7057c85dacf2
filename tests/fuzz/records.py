"""Records of runs and data sets, and thresholds, mutated."""

from pathlib import Path
from random import Random

import numpy as np

from pipeline.config.inputs import WaveformConfig
from pipeline.data.dataset import open_dataset
from pipeline.data.manifest import read_manifest
from pipeline.data.store.catalogue import read_catalogue
from pipeline.scoring.thresholds import Threshold, read_threshold, write_threshold
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync_state import SyncState, has_pending, load_sent, save_sent
from tests.fuzz.fuzzing import Attempt
from tests.fuzz.mutations import mutate_json, mutate_lines
from tests.fuzz.own_files import sealed_object
from tests.helpers.builders import dataset_of
from tests.helpers.tracked_runs import new_run


def run_records(folder: Path) -> Attempt:
    """Read a run folder of which one file is mutated; the others stay."""
    run = new_run("fuzzed")
    save_sent(run, SyncState("http://127.0.0.1:1", "a" * 32))
    names = ("run.json", "status.json", "tracking.json", "journal.jsonl")
    whole = {name: (run.path / name).read_bytes() for name in names}

    def attempt(draw: Random, folder: Path) -> None:
        there = RunFolder(folder / "run")
        there.path.mkdir(exist_ok=True)
        for name, data in whole.items():
            (there.path / name).write_bytes(data)
        name = draw.choice(names)
        mutated = (
            mutate_lines(whole[name], draw)
            if name == names[-1]
            else mutate_json(whole[name], draw, sealed_object)
        )
        (there.path / name).write_bytes(mutated)
        there.status()
        there.lines()
        load_sent(there, "http://127.0.0.1:1")
        has_pending(there)
        there.config()

    return attempt


def prepared(folder: Path) -> Attempt:
    """Open a prepared data set of which one small file is mutated."""
    config = WaveformConfig(sample_rate=8_000)
    rows = [np.zeros(400, np.int16)]
    dataset_of(folder / "set", {"train": rows, "valid": rows, "test": rows}, config)
    names = [path for path in sorted((folder / "set").rglob("*.json*")) if path.is_file()]
    whole = {path: path.read_bytes() for path in names}
    dataset = next(path for path in names if path.name == "dataset.json")

    def attempt(draw: Random, folder: Path) -> None:
        chosen = draw.choice(names)
        lines = chosen.suffix == ".jsonl"
        mutated = (
            mutate_lines(whole[chosen], draw) if lines else mutate_json(whole[chosen], draw, sealed_object)
        )
        chosen.write_bytes(mutated)
        try:
            if chosen.name == "manifest.jsonl":
                read_manifest(chosen)
            elif lines:
                read_catalogue(chosen.parent)
            open_dataset(dataset, config)
        finally:
            chosen.write_bytes(whole[chosen])

    return attempt


def thresholds(folder: Path) -> Attempt:
    """Read a mutated threshold."""
    write_threshold(folder / "whole.json", Threshold("bits_per_sample", 5.5, 0.99, 1.0, "a" * 64, 3, 40))
    whole = (folder / "whole.json").read_bytes()

    def attempt(draw: Random, folder: Path) -> None:
        (folder / "a.json").write_bytes(mutate_json(whole, draw, sealed_object))
        read_threshold(folder / "a.json")

    return attempt
