"""Every reader of files, with the number of mutated files that the default suite tries."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.fuzz import named_files, own_files, records, served_requests
from tests.fuzz.audio_files import CONTAINERS, audio
from tests.fuzz.fuzzing import Attempt

READERS: dict[str, tuple[Callable[[Path], Attempt], int]] = {
    **{suffix: (partial(audio, suffix), 40) for suffix in CONTAINERS},
    **{f"notes-{suffix}": (partial(named_files.notes, suffix), 40) for suffix in ("mid", "npz", "mat")},
    "settings": (named_files.settings, 30),
    "manifests": (named_files.manifests, 40),
    "tables": (named_files.tables, 100),
    "compressed": (own_files.compressed, 10),
    "model": (own_files.model_folder, 20),
    "checkpoint": (own_files.checkpoint, 20),
    "run": (records.run_records, 25),
    "prepared": (records.prepared, 60),
    "requests": (served_requests.requests, 20),
    "threshold": (records.thresholds, 100),
}
