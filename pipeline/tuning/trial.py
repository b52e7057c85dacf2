"""One trial: a training in a process of its own, whose validation losses are reported and may end it."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.common.text import duration
from pipeline.config.runners import RunnersConfig
from pipeline.config.types import Scalar
from pipeline.errors import TrainingInterrupted, UserError, reason_of
from pipeline.registry.catalogue import validation_bits
from pipeline.tracking.pages.search_page import end_text, setting_text
from pipeline.tracking.parents.search_folder import TrialRecord
from pipeline.tracking.run_folder import RunFolder, journal_lines
from pipeline.training.processes.progress import validation_loss
from pipeline.training.processes.runners import train_run
from pipeline.training.processes.shared import SharedTraining, Stopped
from pipeline.tuning.study import LABEL, REASON, RUN, SearchStudy

if TYPE_CHECKING:
    import optuna


class Pruned(Exception):
    """A trial was ended early."""


def train_trial(
    study: SearchStudy,
    trial: "optuna.Trial",
    run: Path,
    where: RunnersConfig,
    stop: threading.Event,
    shared: SharedTraining | None = None,
) -> None:
    """Train a trial and note in the study how it ended.

    Args:
        study: of the search.
        trial: the trial.
        run: its run folder. A training that was interrupted resumes from its checkpoint.
        where: workers and threads.
        stop: set when the search is stopped.
        shared: the group of runs that this one is trained with, if any.

    Raises:
        Stopped: the search was stopped; the trial can be resumed.
    """
    folder = RunFolder(run)
    try:
        train_run(run, where, _observer(study, trial, folder, stop), shared)
    except Pruned as ended:
        if folder.status()["status"] == "finished":  # in the meantime, together with others
            study.finish(trial, folder.status()["summary"]["valid_nats_per_step"])
            return
        folder.set_status("pruned", reason=str(ended))
        study.end_early(trial)
    except (UserError, OSError) as problem:
        if isinstance(problem, TrainingInterrupted) or folder.status()["status"] != "failed":
            folder.set_status("failed", reason=reason_of(problem), diverged=False)
        study.fail(trial, lost=not folder.status().get("diverged"))
    else:
        study.finish(trial, folder.status()["summary"]["valid_nats_per_step"])


def _observer(
    study: SearchStudy, trial: "optuna.Trial", folder: RunFolder, stop: threading.Event
) -> Callable[[], None]:
    """Return what is called every two seconds: it reports each epoch, and may raise `Pruned` or `Stopped`."""
    epochs = folder.config().train.epochs
    reported = 0

    def observe() -> None:
        nonlocal reported
        if stop.is_set():
            raise Stopped
        losses = validation_losses(folder)
        for epoch, loss in list(enumerate(losses, 1))[reported:]:
            reported = epoch
            prune = study.prune_or_report(trial, epoch, loss)
            if prune and epoch < epochs and folder.status()["status"] == "running":
                raise Pruned(f"ended after epoch {epoch}: its validation loss is above the median")

    return observe


def validation_losses(folder: RunFolder) -> list[float]:
    """Return the validation loss of each epoch in a journal that another process may be writing."""
    data = folder.journal_bytes()
    lines, _ = journal_lines(data[: data.rfind(b"\n") + 1])
    return [validation_loss(line["metrics"]) for line in lines if "valid/nats_per_step" in line["metrics"]]


def record_of(attributes: Mapping[str, Any], settings: Mapping[str, Scalar], runs: Path) -> TrialRecord:
    """Return the record of a trial that has ended, from its run folder.

    Args:
        attributes: of the trial in the study.
        settings: values of the searched settings.
        runs: the folder of run folders.
    """
    label, name = attributes[LABEL], attributes.get(RUN, "")
    record: TrialRecord = {
        "label": label,
        "number": int(label.rpartition("-")[2]),
        "settings": dict(settings),
        "state": "failed",
        "run": name,
        "epochs": 0,
        "elapsed_s": 0.0,
    }
    if not name:
        return {**record, "reason": attributes.get(REASON, "")}
    folder = RunFolder(runs / name)
    status, losses = folder.status(), validation_losses(folder)
    record["epochs"], record["elapsed_s"] = len(losses), _elapsed_s(folder)
    if losses:
        record["valid_nats_per_step"], record["best_epoch"] = min(losses), losses.index(min(losses)) + 1
    if status["status"] == "finished":
        record["state"] = "finished"
        record["valid_nats_per_step"] = status["summary"]["valid_nats_per_step"]
        record["best_epoch"] = status["summary"]["best_epoch"]
        if (bits := validation_bits(folder.model)) is not None:
            record["valid_bits_per_sample"] = bits
        return record
    record["state"] = "pruned" if status["status"] == "pruned" else "failed"
    record["reason"] = str(status.get("reason", "no reason is known")).removeprefix(f"{folder.path}: ")
    return record


def _elapsed_s(folder: RunFolder) -> float:
    """Return the seconds in the training loop, by the last line of the journal that states them."""
    lines, _ = journal_lines(folder.journal_bytes())
    keys = ("time/elapsed_s", "time/epoch_end_s")
    return max((line["metrics"].get(key, 0.0) for line in lines for key in keys), default=0.0)


def trial_text(record: TrialRecord, wanted: int, best: bool) -> str:
    """Return how a trial ended, in one line.

    Args:
        record: of the trial.
        wanted: number of trials of the search.
        best: whether it is the best so far.
    """
    settings = ", ".join(f"{key}={setting_text(value)}" for key, value in record["settings"].items())
    parts = []
    if "valid_nats_per_step" in record:
        parts.append(f"{record['valid_nats_per_step']:.4f} nats per step")
    if "valid_bits_per_sample" in record:
        parts.append(f"{record['valid_bits_per_sample']:.3f} bits per sample")
    parts += [end_text(record), duration(record["elapsed_s"])]
    if best:
        parts.append("the best so far")
    return f"trial {record['number']} of {wanted}: {settings}: {', '.join(parts)}"
