"""Recordings that arrive one at a time, and the training that each of them must lead to."""

from pathlib import Path

import numpy as np
import soundfile

from pipeline.data.manifest import read_manifest
from pipeline.tracking.run_folder import RunFolder

RATE = 8_000


def arrive(folder: Path, number: int) -> Path:
    """Write the recording of one speaker under a hidden name, then give it its name at once."""
    random = np.random.default_rng(number)
    time_s = np.arange(RATE + number) / RATE
    sound = 0.3 * np.sin(2 * np.pi * (150 + 7 * number) * time_s) + 0.01 * random.standard_normal(len(time_s))
    path = folder / f"speaker-{number:03}.wav"
    temporary = path.with_name(f".{path.name}")
    soundfile.write(temporary, sound, RATE, format="WAV")
    temporary.rename(path)
    return path


def run_with(home: Path, recording: Path) -> RunFolder | None:
    """Return the training whose data set is the first with a recording; None before there is one."""
    found = []
    for file in (home / "runs").glob("*/run.json"):
        run = RunFolder(file.parent)
        records = read_manifest(run.dataset.parent / "manifest.jsonl")
        if any(record.path == recording for record in records):
            found.append((run.description()["created_ms"], run))
    return min(found, key=lambda each: each[0])[1] if found else None
