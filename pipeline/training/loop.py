"""Training loop over a plan of updates; a killed training resumes exactly from its last checkpoint.

The order of the data is a function of the seed and the epoch, so a checkpoint needs only the position in it.
Metrics are written to the run's journal. A checkpoint contains the journal's size, and a resumed run
truncates the journal to it, so that no step is recorded twice.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from pipeline.common.devices import choose_device, describe_device
from pipeline.common.progress import progress_bar
from pipeline.config.run import RunConfig
from pipeline.data.batching import Plan, batches, carried_plan, independent_plan
from pipeline.data.dataset import Dataset, open_dataset, split_rows
from pipeline.data.store.disk import require_space
from pipeline.errors import TrainingDiverged, UserError
from pipeline.features.normaliser import Normaliser
from pipeline.model.build import Network, build_network, start_head
from pipeline.model.limiter import loudest_level
from pipeline.model.storage import save_model
from pipeline.tracking.environment import describe_environment
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.averaging import WeightAverage
from pipeline.training.checkpoint import (
    Position,
    keep_previous,
    read_checkpoint,
    restore_newest,
    save_checkpoint,
)
from pipeline.training.kernels import describe_kernels
from pipeline.training.optimiser import make_optimizer
from pipeline.training.start import facts_of_start, gain_of_start, load_start, starting_model
from pipeline.training.step import Training, log, log_every, out_of_time, update
from pipeline.training.validation import keep_if_best, validate, validation_bits, validation_nats

CHECKPOINT_COPIES = 11
"""Bytes of a training's files in units of its weights.

The last checkpoint, the one before it and the one being written hold weights and two moments each. The best
weights and the model folder hold the weights.
"""
CHECKPOINT_COPIES_OF_AVERAGE = 3
"""The same for the averaged weights, which each of the three checkpoints holds."""


def train(folder: RunFolder, on_checkpoint: Callable[[int], None] = lambda covered: None) -> None:
    """Train the model of a run folder, from its last checkpoint if there is one.

    Args:
        folder: see `pipeline.tracking.run_folder.start_run`. A finished run is not changed.
        on_checkpoint: called at every checkpoint with the number of bytes of the journal that are final.

    Raises:
        UserError: a split is empty, the device is missing, another process trains this run, or the loss
            stays non-finite.
    """
    config = folder.config()
    dataset = open_dataset(folder.dataset, config.input)
    try:
        with FileLock(folder.path / ".training.lock", timeout=0):
            if folder.status()["status"] == "finished":
                return
            training = begin(config, dataset, folder, on_checkpoint)
            _loop(training)
            _finish(training, config)
    except Timeout:
        raise UserError(f"{folder.path}: another process is training this run") from None
    except UserError as problem:
        folder.set_status("failed", reason=str(problem), diverged=isinstance(problem, TrainingDiverged))
        raise


def _bytes_to_write(training: Training) -> int:
    """Return the size of the checkpoints and the model, less those that are there already."""
    folder = training.folder
    present = (folder.last_checkpoint, folder.previous_checkpoint, folder.best_checkpoint)
    there = sum(path.stat().st_size for path in present if path.exists())
    weights: int = sum(each.nbytes for each in training.network.state_dict().values())
    copies = CHECKPOINT_COPIES + (CHECKPOINT_COPIES_OF_AVERAGE if training.config.ema else 0)
    return max(0, copies * weights - there)


def begin(
    config: RunConfig, dataset: Dataset, folder: RunFolder, on_checkpoint: Callable[[int], None]
) -> Training:
    """Build network, optimiser and data, then restore the folder's last checkpoint if there is one.

    Args:
        config: sections `input`, `model` and `train`.
        dataset: the prepared data set.
        folder: the run folder, whose journal is shortened to the checkpoint's.
        on_checkpoint: called after each checkpoint with the journal's size in bytes.

    Returns:
        The training, at the position of the checkpoint.

    Raises:
        UserError: a split is empty, the device is missing, the checkpoint is damaged, or the disk is full.
    """
    device = choose_device(config.train.device)
    data = split_rows(dataset, "train", device)
    dataset.require("valid")
    torch.manual_seed(config.train.seed)
    start = starting_model(folder)
    normalisation = start.normalisation if start else dataset.normalisation
    network = build_network(config.input, config.model, normalisation).to(device)
    training = Training(
        config=config.train,
        dataset=dataset,
        folder=folder,
        device=device,
        network=network,
        framing=dataset.representation.framing(config.model),
        optimizer=make_optimizer(network.parameters(), config.train),
        position=Position(),
        data=data,
        normaliser=Normaliser(dataset.representation, normalisation, device),
        normalisation=normalisation,
        updates_per_epoch=0,
        on_checkpoint=on_checkpoint,
    )
    training.updates_per_epoch = len(epoch_plan(training, 0))
    require_space(folder.path, _bytes_to_write(training), "this training")
    if config.train.ema:
        training.average = WeightAverage(network, config.train.ema)
    journal_size = 0
    resumed = folder.last_checkpoint.exists()
    if resumed:
        training.position, journal_size = restore_newest(
            folder.last_checkpoint,
            folder.previous_checkpoint,
            network,
            training.optimizer,
            device,
            training.average,
        )
    folder.truncate_journal(journal_size)
    facts: dict[str, Any] = {**describe_device(device), "environment": describe_environment()}
    facts |= describe_kernels(network, device, config.train.precision)
    folder.set_status("running", **facts, parameters=_parameter_counts(network))
    if not resumed:
        if start is None:
            start_head(network, dataset)
        else:
            began = time.monotonic()
            load_start(network, start)
            keep_if_best(training, validation_nats(training))
            training.position.elapsed_s += time.monotonic() - began
        if training.average:  # of the weights that the training starts with
            training.average = WeightAverage(network, config.train.ema)
        _checkpoint(training)
    return training


def epoch_plan(training: Training, epoch: int) -> Plan:
    """Return the updates of one epoch, in an order drawn from the seed and the number of the epoch.

    Args:
        training: gives the seed, the batch size and the lengths of recordings in steps.
        epoch: number of the epoch, from 0.
    """
    config = training.config
    random = np.random.default_rng([config.seed, epoch])
    steps = training.framing.steps(training.data.length).cpu().numpy()
    if config.state == "reset":
        return independent_plan(steps, config.batch_size, config.bptt_steps, random)
    return carried_plan(steps, config.batch_size, config.bptt_steps, random.permutation(len(steps)))


def _loop(training: Training) -> None:
    config, position = training.config, training.position
    with progress_bar("updates") as bar:
        task = bar.add_task("train", total=training.total_updates, note="", completed=position.total_updates)
        while not position.finished:
            plan = epoch_plan(training, position.epoch)
            state = position.state or training.network.initial_state(plan.recording.shape[1])
            began = time.monotonic()
            for batch in batches(plan, training.data, training.framing, training.normaliser, position.update):
                state = update(training, batch, state)
                position.state = state
                position.elapsed_s += time.monotonic() - began
                began = time.monotonic()
                if position.total_updates % log_every(training) == 0:
                    bar.update(task, note=log(training))
                bar.update(task, completed=position.total_updates)
                if position.total_updates % config.checkpoint_updates == 0 and not position.skipped_in_row:
                    _checkpoint(training)
                if out_of_time(training):
                    break
            _end_epoch(training, bar.console.print if not bar.disable else None)


def _end_epoch(training: Training, report: Callable[[str], None] | None) -> None:
    """Validate, keep the best weights, and decide whether training continues."""
    position, config = training.position, training.config
    began = time.monotonic()
    position.epoch += 1
    position.update = 0
    position.state = ()
    figures = validate(training)
    position.elapsed_s += time.monotonic() - began
    bits = validation_bits(training, figures["valid/nats_per_step"])
    recorded = {**figures, **bits, "time/epoch_end_s": position.elapsed_s}
    training.folder.append(position.total_updates, recorded)
    if report:
        shown = ", ".join(f"{value:.3f}" for value in figures.values())
        report(f"epoch {position.epoch}: valid {shown} nats/step (best {position.best_valid:.3f})")
    impatient = position.epoch - position.best_epoch >= config.patience_epochs
    position.finished = position.epoch >= config.epochs or impatient or out_of_time(training)
    _checkpoint(training)


def _checkpoint(training: Training) -> None:
    covered = training.folder.journal_size()
    keep_previous(training.folder.last_checkpoint, training.folder.previous_checkpoint)
    save_checkpoint(
        training.folder.last_checkpoint,
        training.network,
        training.optimizer,
        training.position,
        covered,
        training.average,
    )
    training.on_checkpoint(covered)


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


def _parameter_counts(network: Network) -> dict[str, int]:
    return {
        "all": sum(weight.numel() for weight in network.parameters()),
        "recurrent": network.recurrent_parameter_count(),
    }
