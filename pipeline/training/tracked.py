"""Training of run folders that are synchronised with the tracking server."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pipeline.tracking.comparison import send_pending
from pipeline.tracking.run_folder import ReadOnlyRun, RunFolder
from pipeline.tracking.sender import background_sender
from pipeline.training.loop import train
from pipeline.training.ranks.group import ALONE, Ranks
from pipeline.training.together.training import train_together


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
    with background_sender(folder) as sender:  # it first sends what waits of earlier runs
        train(folder, partial(sender.request, 0) if sender else _send_nothing, ranks)
    return folder.model


def train_together_here(runs: Sequence[Path]) -> None:
    """Train run folders of one size in this process, and send their records to the tracking server.

    Args:
        runs: the folders. What comes of each is noted in it; see `pipeline.training.together.training`.
    """
    folders = [RunFolder(run) for run in runs]
    with background_sender(*folders) as sender:
        if sender is None:
            train_together(folders)
        else:
            train_together(folders, sender.request, sender.end)


def _send_nothing(covered: int) -> None:
    """Stand for a sender that could not be started."""
