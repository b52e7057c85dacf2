"""Training of a run folder that is synchronised with the tracking server."""

from pathlib import Path

from pipeline.tracking.comparison import send_pending
from pipeline.tracking.run_folder import ReadOnlyRun, RunFolder
from pipeline.tracking.sender import background_sender
from pipeline.training.loop import train
from pipeline.training.ranks.group import ALONE, Ranks


def train_here(run: Path, ranks: Ranks = ALONE) -> Path:
    """Train a run folder in this process, and send its record to the tracking server.

    Args:
        run: the folder, see `pipeline.tracking.run_folder.start_run`. A finished run is not changed.
        ranks: the processes that train it together, which all call this. Rank 0 writes and sends.

    Returns:
        The folder of the trained model.

    Raises:
        UserError: the run cannot be trained, see `pipeline.training.loop.train`.
    """
    folder = RunFolder(run)
    if not ranks.first:
        train(ReadOnlyRun(run), ranks=ranks)
        return folder.model
    if ranks.size == 1 and folder.status()["status"] == "finished":
        send_pending(run.parent.parent)
        return folder.model
    with background_sender(folder) as request:  # it first sends what waits of earlier runs
        train(folder, request, ranks)
    return folder.model
