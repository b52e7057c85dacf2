"""Training loop over a plan of updates; a killed training resumes exactly from its last checkpoint.

The order of the data is a function of the seed and the epoch, so a checkpoint needs only the position in it.
Metrics are written to the run's journal. A checkpoint contains the journal's size, and a resumed run
truncates the journal to it, so that no step is recorded twice.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from filelock import FileLock, Timeout

from pipeline.common.progress import progress_bar
from pipeline.config.run import RunConfig
from pipeline.data.batching import Plan, batches
from pipeline.data.dataset import open_dataset
from pipeline.errors import TrainingDiverged, UserError, print_notice
from pipeline.model.limiter import loudest_level
from pipeline.model.storage import save_model
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.begin import begin, epoch_plan, share_position, write_checkpoint
from pipeline.training.checkpoint import read_checkpoint
from pipeline.training.gpu.epochs import DeviceEpochs, why_host
from pipeline.training.ranks.group import ALONE, Ranks
from pipeline.training.rehearsal import rehearse
from pipeline.training.rounds import Course, Updates, run_rounds
from pipeline.training.start import facts_of_start, gain_of_start
from pipeline.training.step import Pending, Training, log, log_every, out_of_time
from pipeline.training.validation import validate, validation_bits

__all__ = ["begin", "epoch_plan", "train"]


def train(
    folder: RunFolder, on_checkpoint: Callable[[int], None] = lambda covered: None, ranks: Ranks = ALONE
) -> None:
    """Train the model of a run folder, from its last checkpoint if there is one.

    Args:
        folder: see `pipeline.tracking.run_folder.start_run`. A finished run is not changed.
        on_checkpoint: called at every checkpoint with the number of bytes of the journal that are final.
        ranks: the processes that train together, which all call this.

    Raises:
        UserError: a split is empty, the device is missing, another process trains this run, or the loss
            stays non-finite.
    """
    config = folder.config()
    dataset = open_dataset(folder.dataset, config.input)
    try:
        with alone(folder) if ranks.first else nullcontext():
            if ranks.share(folder.status()["status"] == "finished"):
                return
            training = begin(config, dataset, folder, on_checkpoint, ranks)
            with progress_bar("updates", visible=ranks.first) as bar:
                done = training.position.total_updates
                task = bar.add_task("train", total=training.total_updates, note="", completed=done)

                def show(note: str | None) -> None:
                    bar.update(task, completed=training.position.total_updates)
                    if note is not None:
                        bar.update(task, note=note)

                report = bar.console.print if not bar.disable else None
                run_rounds([Course(training, updates_of(training, config, show, report))])
    except TrainedElsewhere:
        raise
    except UserError as problem:
        note_failure(folder, problem)
        raise


class TrainedElsewhere(UserError):
    """Another process is training the run."""


@contextmanager
def alone(folder: RunFolder) -> Iterator[None]:
    """Let no other process train a run inside.

    Raises:
        TrainedElsewhere: another one does.
    """
    lock = FileLock(folder.path / ".training.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise TrainedElsewhere(f"{folder.path}: another process is training this run") from None
    try:
        yield
    finally:
        lock.release()


def note_failure(folder: RunFolder, problem: UserError) -> None:
    """Write into a run's status why its training failed."""
    folder.set_status("failed", reason=str(problem), diverged=isinstance(problem, TrainingDiverged))


def updates_of(
    training: Training,
    config: RunConfig,
    show: Callable[[str | None], None],
    report: Callable[[str], None] | None,
) -> Updates:
    """Yield the updates of a training from its position on, and write the model at its end.

    Args:
        training: the training.
        config: its settings.
        show: called after each update, with a text after some.
        report: called with a text after each epoch.

    Raises:
        UserError: the loss stays non-finite, or a file is damaged.
    """
    position = training.position
    rehearse(training)
    reason = why_host(training)
    device_epochs = DeviceEpochs(training, show) if reason is None else None
    if reason is not None:
        note_host(training, reason)
    while not position.finished:
        if training.transposed:
            training.transposed.begin_epoch(position.epoch)
        plan = training.ranks.own_plan(epoch_plan(training, position.epoch))
        yield from _host_epoch(training, show, plan) if device_epochs is None else device_epochs(plan)
        _end_epoch(training, report)
    if training.ranks.first:
        _finish(training, config)


def note_host(training: Training, reason: str) -> None:
    """Record why the host takes part in each update, and say so where a GPU could do without it.

    Args:
        training: its folder receives the reason.
        reason: of `why_host`.
    """
    training.folder.set_status("running", update_loop=f"host: {reason}")
    if training.device.type == "cuda" and training.ranks.first:
        print_notice(f"the host takes part in each update: {reason}")


def _host_epoch(training: Training, show: Callable[[str | None], None], plan: Plan) -> Updates:
    """Yield the updates of a plan, from the training's position on."""
    config, position = training.config, training.position
    state = position.state or training.network.initial_state(plan.lanes)
    began = time.monotonic()
    for batch in batches(plan, training.data, training.framing, training.normaliser, position.update):
        own_s = time.monotonic() - began
        done = yield Pending(training, batch, state)
        assert done is not None
        began = time.monotonic()
        state = position.state = done.state
        position.elapsed_s += own_s + done.seconds
        if config.max_minutes is not None:  # the clock decides, that of the first rank for all
            position.elapsed_s = training.ranks.share(position.elapsed_s)
        show(log(training) if position.total_updates % log_every(training) == 0 else None)
        if position.total_updates % config.checkpoint_updates == 0 and not position.skipped_in_row:
            write_checkpoint(training)
        if out_of_time(training):
            break


def _end_epoch(training: Training, report: Callable[[str], None] | None) -> None:
    """Validate, keep the best weights, and decide whether training continues."""
    training.position.epoch += 1
    training.position.update = 0
    training.position.state = ()
    if training.ranks.first:
        _validate(training, report)
    share_position(training)
    write_checkpoint(training)


def _validate(training: Training, report: Callable[[str], None] | None) -> None:
    """Validate, keep the best weights, record the losses, and note whether this was the last epoch."""
    position, config = training.position, training.config
    began = time.monotonic()
    figures = validate(training)
    spent_s = time.monotonic() - began
    position.elapsed_s += spent_s
    position.logged_at_s += spent_s  # no part of the time of the updates
    bits = validation_bits(training, figures["valid/nats_per_step"])
    recorded = {**figures, **bits, "time/epoch_end_s": position.elapsed_s}
    training.folder.append(position.total_updates, recorded)
    if report:
        shown = ", ".join(f"{value:.3f}" for value in figures.values())
        report(f"epoch {position.epoch}: valid {shown} nats/step (best {position.best_valid:.3f})")
    impatient = position.epoch - position.best_epoch >= config.patience_epochs
    position.finished = position.epoch >= config.epochs or impatient or out_of_time(training)


def _finish(training: Training, config: RunConfig) -> None:
    """Write the model folder from the best weights and mark the run as finished."""
    position = training.position
    if position.best_epoch < 0:
        reason = "no validation loss was finite; reduce train.learning_rate"
        raise TrainingDiverged(f"{training.folder.path}: {reason}")
    weights = read_checkpoint(training.folder.best_checkpoint, torch.device("cpu")).get("weights", {})
    facts: dict[str, Any] = {
        "run": training.folder.path.name,
        "data_fingerprint": training.dataset.fingerprint,
        "updates": position.total_updates,
        "epochs": position.epoch,
        "best_epoch": position.best_epoch,
        "valid_nats_per_step": position.best_valid,
        "elapsed_s": round(position.elapsed_s, 1),
        **facts_of_start(training),
    }
    if training.dataset.representation.rows_are_samples:
        facts["loudest_level"] = loudest_level(training.dataset)
    save_model(training.folder.model, weights, config.input, config.model, training.normalisation, facts)
    summary = {
        "valid_nats_per_step": position.best_valid,
        "best_epoch": position.best_epoch,
        **({"best_weights": "average" if position.best_is_average else "last"} if config.train.ema else {}),
        "skipped_updates": position.skipped,
        "elapsed_s": position.elapsed_s,
        "stopped_by_time": position.epoch < config.train.epochs and out_of_time(training),
        **gain_of_start(training),
    }
    training.folder.set_status("finished", summary=summary)
    training.folder.previous_checkpoint.unlink(missing_ok=True)
