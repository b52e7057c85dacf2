"""The beginning of a training: network, optimiser and data, at the position of the last checkpoint.

Also the writing of checkpoints, of which the first is written here.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pipeline.common.devices import describe_device, use_fast_products
from pipeline.config.run import RunConfig
from pipeline.data.batching import Plan, carried_plan, independent_plan
from pipeline.data.dataset import Dataset, split_rows
from pipeline.data.store.disk import require_space
from pipeline.data.transposition import TransposedPieces
from pipeline.errors import print_notice_once
from pipeline.features.normaliser import Normaliser
from pipeline.model.build import Network, build_network, start_head
from pipeline.tracking.environment import describe_environment
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.averaging import WeightAverage
from pipeline.training.checkpoint import Position, keep_previous, restore_newest, save_checkpoint
from pipeline.training.kernels import describe_kernels, notices_of_kernels
from pipeline.training.optimiser import make_optimizer
from pipeline.training.ranks.group import ALONE, Ranks
from pipeline.training.ranks.lanes import lanes_of_rank
from pipeline.training.start import load_start, starting_model
from pipeline.training.step import Training
from pipeline.training.validation import keep_if_best, validation_nats

CHECKPOINT_COPIES = 11
"""Bytes of a training's files in units of its weights.

The last checkpoint, the one before it and the one being written hold weights and two moments each. The best
weights and the model folder hold the weights.
"""
CHECKPOINT_COPIES_OF_AVERAGE = 3
"""The same for the averaged weights, which each of the three checkpoints holds."""
OF_THE_FIRST_RANK = ("best_valid", "best_epoch", "best_is_average", "start_valid", "elapsed_s", "finished")
"""Attributes of the position that rank 0 determines."""


def begin(
    config: RunConfig,
    dataset: Dataset,
    folder: RunFolder,
    on_checkpoint: Callable[[int], None],
    ranks: Ranks = ALONE,
) -> Training:
    """Build network, optimiser and data, then restore the folder's last checkpoint if there is one.

    Args:
        config: sections `input`, `model` and `train`.
        dataset: the prepared data set.
        folder: the run folder, whose journal is shortened to the checkpoint's.
        on_checkpoint: called after each checkpoint with the journal's size in bytes.
        ranks: the processes that train together.

    Returns:
        The training, at the position of the checkpoint.

    Raises:
        UserError: a split is empty, the device is missing, the checkpoint is damaged, or the disk is full.
    """
    device = ranks.device(config.train.device)
    use_fast_products(device)
    data = split_rows(dataset, "train", device)
    semitones = config.train.transpose_semitones
    transposed = TransposedPieces(data, semitones, config.train.seed) if semitones else None
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
        data=transposed.data if transposed else data,
        normaliser=Normaliser(dataset.representation, normalisation, device),
        normalisation=normalisation,
        updates_per_epoch=0,
        on_checkpoint=on_checkpoint,
        ranks=ranks,
        transposed=transposed,
    )
    plan = epoch_plan(training, 0)
    training.updates_per_epoch, training.lanes = len(plan), plan.lanes
    lanes_of_rank(training.lanes, ranks.size)
    if ranks.first:
        require_space(folder.path, _bytes_to_write(training), "this training")
    if config.train.ema:
        training.average = WeightAverage(network, config.train.ema)
    journal_size = 0
    resumed = ranks.share(folder.last_checkpoint.exists())
    if resumed:
        with ranks.first_before_others():  # it may replace a damaged checkpoint
            training.position, journal_size = restore_newest(
                folder.last_checkpoint,
                folder.previous_checkpoint,
                network,
                training.optimizer,
                device,
                training.average,
            )
        training.position.state = ranks.own_state(training.position.state)
    folder.truncate_journal(journal_size)
    facts: dict[str, Any] = {**describe_device(device), "environment": describe_environment()}
    kernels = describe_kernels(
        network, device, config.train.precision, training.lanes, config.train.bptt_steps
    )
    if ranks.first:
        for line in notices_of_kernels(kernels, device):
            print_notice_once(line)
    folder.set_status("running", **facts, **kernels, ranks=ranks.size, parameters=_parameter_counts(network))
    if not resumed:
        if ranks.first and config.model.dropout and config.model.num_layers == 1:
            print_notice_once(
                "model.dropout has no effect with one layer; model.output_dropout acts before the head"
            )
        if start is None:
            start_head(network, dataset)
        else:
            began = time.monotonic()
            load_start(network, start)
            if ranks.first:
                keep_if_best(training, validation_nats(training))
            training.position.elapsed_s += time.monotonic() - began
        if training.average:  # of the weights that the training starts with
            training.average = WeightAverage(network, config.train.ema)
        training.ranks.share_start(network, device)
        share_position(training)
        write_checkpoint(training)
    else:
        training.ranks.share_start(network, device)
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


def write_checkpoint(training: Training) -> None:
    """Write the checkpoint of the present position; all ranks call this, and rank 0 writes."""
    state = training.ranks.whole_state(training.position.state, training.lanes)
    if not training.ranks.first:
        return
    covered = training.folder.journal_size()
    keep_previous(training.folder.last_checkpoint, training.folder.previous_checkpoint)
    save_checkpoint(
        training.folder.last_checkpoint,
        training.network,
        training.optimizer,
        replace(training.position, state=state),
        covered,
        training.average,
    )
    training.on_checkpoint(covered)


def share_position(training: Training) -> None:
    """Give all ranks what rank 0 alone knows of the position: the validation and the time."""
    position = training.position
    known = training.ranks.share({name: getattr(position, name) for name in OF_THE_FIRST_RANK})
    for name, value in known.items():
        setattr(position, name, value)


def _bytes_to_write(training: Training) -> int:
    """Return the size of the checkpoints and the model, less those that are there already."""
    folder = training.folder
    present = (folder.last_checkpoint, folder.previous_checkpoint, folder.best_checkpoint)
    there = sum(path.stat().st_size for path in present if path.exists())
    weights: int = sum(each.nbytes for each in training.network.state_dict().values())
    copies = CHECKPOINT_COPIES + (CHECKPOINT_COPIES_OF_AVERAGE if training.config.ema else 0)
    return max(0, copies * weights - there)


def _parameter_counts(network: Network) -> dict[str, int]:
    return {
        "all": sum(weight.numel() for weight in network.parameters()),
        "recurrent": network.recurrent_parameter_count(),
    }
