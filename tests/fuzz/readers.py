"""Every reader of files, with the number of mutated files that the default suite tries."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.fuzz import named_files, own_files, records
from tests.fuzz.audio_files import CONTAINERS, audio
from tests.helpers.fuzzing import Attempt

READERS: dict[str, tuple[Callable[[Path], Attempt], int]] = {
    **{suffix: (lambda _, suffix=suffix: audio(suffix), 20) for suffix in CONTAINERS},  # type: ignore[misc]
    **{f"notes-{suffix}": (lambda _, suffix=suffix: named_files.notes(suffix), 50) for suffix in ("mid", "npz", "mat")},  # type: ignore[misc]
    "settings": (named_files.settings, 30),
    "manifests": (named_files.manifests, 50),
    "tables": (named_files.tables, 100),
    "compressed": (own_files.compressed, 30),
    "model": (own_files.model_folder, 30),
    "checkpoint": (own_files.checkpoint, 50),
    "run": (records.run_records, 50),
    "prepared": (records.prepared, 50),
    "threshold": (records.thresholds, 100),
}

assert partial
