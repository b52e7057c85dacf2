"""The folder of a search: its study, `search.json` with the trials that have ended, a table and a picture.

Runs are named by their folders in `runs/`, so that the data folder can be moved.
"""

from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from pipeline.common.files import read_json, write_json

RECORD = "search.json"
STUDY = "study.db"
TABLE = "trials.csv"
PICTURE = "search.png"
AGAIN = "delete it and repeat the search, which trains nothing again"


class TrialRecord(TypedDict):
    """A trial that has ended.

    `state` is `finished`, `pruned` or `failed`. `valid_nats_per_step` is the lowest validation loss, after
    epoch `best_epoch`.
    """

    label: str
    number: int
    settings: dict[str, Any]
    state: str
    run: str
    epochs: int
    elapsed_s: float
    valid_nats_per_step: NotRequired[float]
    valid_bits_per_sample: NotRequired[float]
    best_epoch: NotRequired[int]
    reason: NotRequired[str]


class SearchRecord(TypedDict):
    """The content of `search.json`. `trials_wanted` is the number of trials that the last call asked for."""

    name: str
    fingerprint: str
    space: dict[str, dict[str, Any]]
    sampler: str
    seed: int
    trials_wanted: int
    trials: list[TrialRecord]
    best: str


def write_search(folder: Path, record: SearchRecord) -> None:
    """Write `search.json`."""
    write_json(folder / RECORD, record)


def read_search(folder: Path) -> SearchRecord:
    """Return the content of a `search.json`; raises `UserError` where it is missing or damaged."""
    found: SearchRecord = read_json(folder / RECORD, "record of a search", SearchRecord, AGAIN)
    return found


def run_of(folder: Path, trial: TrialRecord) -> Path:
    """Return the run folder of a trial."""
    return folder.absolute().parents[1] / "runs" / trial["run"]


def best_run(folder: Path, record: SearchRecord) -> Path:
    """Return the run folder of the best trial of a search in which a trial was trained to its end."""
    (best,) = (trial for trial in record["trials"] if trial["label"] == record["best"])
    return run_of(folder, best)
