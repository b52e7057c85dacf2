"""Checkpoints of finished trainings, which are never resumed."""

import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.common.files import read_json
from pipeline.errors import UserError
from pipeline.housekeeping.leftovers import Leftover, is_free, size_of
from pipeline.tracking.run_folder import RunFolder, RunStatus

DAY_S = 86_400.0


def checkpoints(home: Path, older_than_days: float) -> Iterator[Leftover]:
    """Yield the checkpoints of finished runs that have their model, and whose training nobody holds."""
    for folder in sorted(home.glob("runs/*")):
        run = RunFolder(folder)
        locks = (folder / ".training.lock", folder / ".sync.lock")
        if not _is_finished(run) or not is_free(locks):
            continue
        for path in (
            run.last_checkpoint,
            run.previous_checkpoint,
            run.previous_checkpoint.with_suffix(".next"),
        ):
            if path.is_file() and time.time() - path.stat().st_mtime >= older_than_days * DAY_S:
                reason = "checkpoint of a finished training"
                yield Leftover("checkpoint", path, size_of(path), reason, locks)


def _is_finished(run: RunFolder) -> bool:
    """Return whether a readable status states the end, and the whole model is there."""
    try:
        status = read_json(run.path / "status.json", "status of a run", RunStatus)
    except UserError:
        return False
    whole = all((run.model / name).is_file() for name in ("config.json", "model.safetensors"))
    return bool(status["status"] == "finished") and whole
