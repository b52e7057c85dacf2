"""Every reader of files, with the number of mutated files that the default suite tries."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.fuzz import named_files, own_files, records, served_requests
from tests.fuzz.audio_files import CONTAINERS, audio
from tests.fuzz.fuzzing import Attempt

SOME = 120
FEWER = {"compressed": 40, "model": 60}
"""Of the readers that take longest: decompression, and the construction of networks."""

MAKERS: dict[str, Callable[[Path], Attempt]] = {
    **{suffix: partial(audio, suffix) for suffix in CONTAINERS},
    **{f"notes-{suffix}": partial(named_files.notes, suffix) for suffix in ("mid", "npz", "mat")},
    "settings": named_files.settings,
    "manifests": named_files.manifests,
    "tables": named_files.tables,
    "compressed": own_files.compressed,
    "model": own_files.model_folder,
    "checkpoint": own_files.checkpoint,
    "run": records.run_records,
    "prepared": records.prepared,
    "requests": served_requests.requests,
    "threshold": records.thresholds,
}
READERS = {name: (make, FEWER.get(name, SOME)) for name, make in MAKERS.items()}
