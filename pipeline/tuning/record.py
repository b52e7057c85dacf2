"""The record of a search: its folder, `search.json`, the table and the picture."""

import csv
from pathlib import Path

from pipeline.common.files import atomic_path, data_dir
from pipeline.common.hashing import digest_json
from pipeline.config.run import RunConfig
from pipeline.plots.search import Point, plot_search
from pipeline.tracking.pages.search_page import columns, rows
from pipeline.tracking.parents.search_folder import PICTURE, TABLE, SearchRecord, TrialRecord, write_search
from pipeline.tuning.space import scale_of

NOT_OF_THE_STUDY = {"trials", "pruner", "pruner_trials", "pruner_epochs"}
"""Settings that may change between two calls of one search."""


def search_folder(config: RunConfig, fingerprint: str, variant: str = "") -> Path:
    """Return the folder of a search: the same for the same configuration, space and data.

    Args:
        config: the sections `input`, `model`, `train` and `tuning` identify the search.
        fingerprint: hash of the data set's content.
        variant: name of the variant that is searched; empty without one.
    """
    settings = config.model_dump(mode="json", include={"input", "model", "train"})
    space = config.tuning.model_dump(mode="json", exclude=NOT_OF_THE_STUDY)
    label = f"{config.name}-{variant}" if variant else config.name
    return data_dir() / "tuning" / f"{label}-{digest_json([settings, space, fingerprint])[:10]}"


def write_record(
    folder: Path, config: RunConfig, fingerprint: str, trials: list[TrialRecord]
) -> SearchRecord:
    """Write and return the record of a search with the trials that have ended so far."""
    space = config.tuning.space
    finished = [trial for trial in trials if trial["state"] == "finished"]
    record: SearchRecord = {
        "name": folder.name.rpartition("-")[0],
        "fingerprint": fingerprint,
        "space": {key: found.model_dump(mode="json") for key, found in space.items()},
        "sampler": config.tuning.sampler,
        "seed": config.tuning.seed,
        "trials_wanted": max(config.tuning.trials, len(trials)),
        "trials": trials,
        "best": min(finished, key=lambda trial: trial["valid_nats_per_step"])["label"] if finished else "",
    }
    write_search(folder, record)
    with atomic_path(folder / TABLE) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns(record["space"]), *rows(record["space"], trials)])
    points = [
        Point(trial["number"], trial["settings"], trial["valid_nats_per_step"], trial["state"] != "finished")
        for trial in trials
        if "valid_nats_per_step" in trial
    ]
    scales = {key: scale_of(distribution) for key, distribution in space.items()}
    plot_search(folder / PICTURE, points, scales, "nats per step")
    return record
