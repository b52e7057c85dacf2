"""Training of a run folder that is synchronised with the tracking server."""

from pathlib import Path

from pipeline.tracking.comparison import send_pending
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.sync import Syncer
from pipeline.training.loop import train


def train_here(run: Path) -> Path:
    """Train a run folder in this process, and send its record to the tracking server.

    Args:
        run: the folder, see `pipeline.tracking.run_folder.start_run`. A finished run is not changed.

    Returns:
        The folder of the trained model.

    Raises:
        UserError: the run cannot be trained, see `pipeline.training.loop.train`.
    """
    send_pending(run.parent.parent)
    folder = RunFolder(run)
    if folder.status()["status"] != "finished":
        syncer = Syncer(folder)
        try:
            train(folder, syncer.request)
        finally:
            syncer.close()
    return folder.model
