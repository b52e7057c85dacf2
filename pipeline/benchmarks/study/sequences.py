"""Sets of speech in the shapes of the two of Chung et al. (2014), whose recordings were never released.

A set is a table of stretches of equal length, spread evenly over all recordings. Its splits are those of the
recordings, so that no speaker is in two of them.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.benchmarks.study.published import SHAPES
from pipeline.common.files import atomic_path, data_dir, expanded
from pipeline.config.loading import load_config
from pipeline.config.run import CorpusConfig, RunConfig
from pipeline.data.dataset import open_dataset
from pipeline.data.manifest import Recording, read_manifest
from pipeline.errors import UserError
from pipeline.stages import prepare_stage

COLUMNS = ("path", "speaker", "split", "start", "duration")


class Cut(NamedTuple):
    """A sequence: a stretch of a recording."""

    recording: Recording
    first_sample: int


def speech_configs(folder: Path, settings: Sequence[str]) -> dict[str, RunConfig]:
    """Return the configuration of each shape, whose input is not cut yet.

    Args:
        folder: the recordings.
        settings: texts `key=value` that change every training.

    Raises:
        UserError: a setting cannot be used.
    """
    found = {}
    for shape in SHAPES:
        own = [f"train.batch_size={shape.batch_size}", *settings, f"name={shape.name}"]
        config = load_config(Path("study"), own)
        hop = getattr(config.input, "hop", None)
        if hop is None:
            raise UserError(f"input.kind={config.input.kind}: sequences are of samples", exit_code=2)
        train = config.train.model_copy(update={"bptt_steps": -(-shape.samples // hop)})
        corpus = config.corpus.model_copy(update={"inputs": [expanded(str(folder)).absolute()]})
        found[shape.name] = config.model_copy(update={"train": train, "corpus": corpus})
    return found


def cut_sequences(config: RunConfig) -> RunConfig:
    """Cut the recordings of a configuration to the sequences of its shape, and return it with these as input.

    Where the recordings hold fewer sequences, the set has all of them.

    Args:
        config: of `speech_configs`.

    Raises:
        UserError: the recordings cannot be prepared, or none is long enough.
    """
    (shape,) = (shape for shape in SHAPES if shape.name == config.name)
    prepared = prepare_stage(config)
    recordings = [each for each in read_manifest(prepared.with_name("manifest.jsonl")) if not each.refused]
    cuts = spread_cuts(recordings, shape.sequences, shape.samples)
    if not cuts:
        raise UserError(f"no recording has the {shape.samples} samples of a sequence")
    fingerprint = open_dataset(prepared, config.input).fingerprint
    table = data_dir() / "study" / f"{shape.name}-{fingerprint}.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    rate = config.input.row_rate_hz
    with atomic_path(table) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(_row(cut, shape.samples, rate) for cut in cuts)
    return config.model_copy(update={"corpus": CorpusConfig(inputs=[table])})


def spread_cuts(recordings: Sequence[Recording], count: int, samples: int) -> list[Cut]:
    """Return stretches that do not overlap, spread evenly over the recordings.

    Args:
        recordings: with their numbers of samples. Rows of a table are left out: they are no files.
        count: stretches to choose; fewer are returned where there are fewer.
        samples: length of each.
    """
    every = [
        Cut(each, first)
        for each in recordings
        if each.part is None or each.part.row is None
        for first in range(0, (each.samples or 0) - samples + 1, samples)
    ]
    chosen = np.linspace(0, len(every), min(count, len(every)), endpoint=False).astype(int)
    return [every[index] for index in chosen]


def _row(cut: Cut, samples: int, rate_hz: float) -> tuple[str, str, str, str, str]:
    part, path = cut.recording.part, cut.recording.path
    start_s = cut.first_sample / rate_hz + (part.start_seconds if part else 0.0)
    where = str(part.file if part else path), str(cut.recording.group), str(cut.recording.split)
    return *where, f"{start_s:.9f}", f"{samples / rate_hz:.9f}"
