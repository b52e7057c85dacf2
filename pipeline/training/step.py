"""Updates of the weights, of one training or of several; those that are not finite are skipped."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.encoder_decoder.encoder_decoder import EncoderDecoder
from models.recurrent.stack import State, detach_state, keep_state_where, weight_noise
from pipeline.common.devices import device_use
from pipeline.config.training import TrainConfig
from pipeline.data.batching import Batch
from pipeline.data.dataset import Dataset, SplitRows
from pipeline.data.transposition import TransposedPieces
from pipeline.errors import TrainingDiverged
from pipeline.features.framing import Framing
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.model.build import Network
from pipeline.model.likelihood import training_losses
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.averaging import WeightAverage
from pipeline.training.checkpoint import Position, restore_weights
from pipeline.training.optimiser import clip_gradients, learning_rate, step_all
from pipeline.training.ranks.group import ALONE, Ranks

POINTS_PER_CURVE = 1_000
"""Largest number of logged points; with more, the tracking server's pages are slow."""

SKIPS_BEFORE_ROLLBACK = 10
ROLLBACKS_BEFORE_FAILURE = 3


@dataclass
class Training:
    """State of a running training that the functions of the loop share.

    Its own work is done inside ``turn()``, which trainings of one process have one each of: there lie the
    random numbers that they draw.
    """

    config: TrainConfig
    dataset: Dataset
    folder: RunFolder
    device: torch.device
    network: Network
    framing: Framing
    optimizer: torch.optim.Optimizer
    position: Position
    data: SplitRows
    normaliser: Normaliser
    normalisation: Normalisation
    updates_per_epoch: int
    on_checkpoint: Callable[[int], None]
    average: WeightAverage | None = None
    ranks: Ranks = ALONE
    lanes: int = 0
    transposed: TransposedPieces | None = None
    turn: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def total_updates(self) -> int:
        """Number of updates in all epochs."""
        return self.updates_per_epoch * self.config.epochs


class Pending(NamedTuple):
    """An update that is to be done: of a training, on a batch, from the state before it."""

    training: Training
    batch: Batch
    state: State


def update(training: Training, batch: Batch, state: State) -> State:
    """Do one step of the optimiser on a batch, and return the state after it; see `update_all`.

    Raises:
        TrainingDiverged: the loss stays non-finite after several returns to the last checkpoint.
    """
    (found,) = update_all([Pending(training, batch, state)])
    if isinstance(found, TrainingDiverged):
        raise found
    return found


def update_all(pending: Sequence[Pending]) -> list[State | TrainingDiverged]:
    """Do one step of the optimiser of each of some trainings, which have nothing in common but their size.

    A non-finite loss or gradient changes no weight.

    Args:
        pending: the updates. The positions of their trainings are advanced.

    Returns:
        The states after the batches, detached; initial states after skipped updates. For a training whose
        loss stays non-finite after several returns to the last checkpoint, the exception that says so.
    """
    for training, _, _ in pending:
        _prepare(training)
    with ExitStack() as noise:
        for training, _, _ in pending:
            with training.turn():
                noise.enter_context(weight_noise(training.network, training.config.weight_noise))
        found = _losses(pending)
        for training, _, _ in pending:
            training.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward([loss for loss, _ in found])
    # The weights by the optimiser's list, without a walk through all modules.
    weights = [training.optimizer.param_groups[0]["params"] for training, _, _ in pending]
    joined = []
    for own, (training, batch, _), (loss, _) in zip(weights, pending, found, strict=True):
        steps = int(batch.values) / training.framing.target_size
        joined.append(training.ranks.join_gradients(own, loss.detach(), _divisor(training, batch), steps))
    norms = clip_gradients(weights, [training.config.clip_norm for training, _, _ in pending])
    figures = torch.stack([*(loss.detach() for loss, _ in joined), *norms]).tolist()
    losses, norm_values = figures[: len(pending)], figures[len(pending) :]
    finite = np.isfinite(losses) & np.isfinite(norm_values)
    step_all([each.training.optimizer for each, good in zip(pending, finite, strict=True) if good])
    after: list[State | TrainingDiverged] = []
    for n, (training, batch, _) in enumerate(pending):
        training.position.update += 1
        training.position.total_updates += 1
        if not finite[n]:
            try:
                after.append(_skip(training, len(batch.keep)))
            except TrainingDiverged as problem:
                after.append(problem)
            continue
        steps = joined[n][1]
        _note(training, (losses[n] * steps, steps, norm_values[n], 1.0))
        after.append(detach_state(tuple(part.float() for part in found[n][1])))
    return after


def _prepare(training: Training) -> None:
    """Set the learning rate of the next update, and the share of steps that are fed with own samples."""
    done, total = schedule_progress(training)
    rate = learning_rate(training.config, done, total) * 0.5**training.position.rollbacks
    for group in training.optimizer.param_groups:
        group["lr"] = rate
    if isinstance(training.network, EncoderDecoder):
        training.network.sampling_probability = training.config.scheduled_sampling * done / total


def _losses(pending: Sequence[Pending]) -> list[tuple[Tensor, State]]:
    """Return the losses, and the states after the batches: in one pass where no network draws numbers."""
    if len(pending) > 1 and not any(draws_numbers(training.network) for training, _, _ in pending):
        return _losses_in_one_pass(pending)
    found = []
    for each in pending:
        with each.training.turn():
            found += _losses_in_one_pass([each])
    return found


def _losses_in_one_pass(pending: Sequence[Pending]) -> list[tuple[Tensor, State]]:
    first = pending[0].training
    bfloat16 = first.config.precision == "bfloat16"
    before = [
        keep_state_where(state, batch.keep, training.network.initial_state(len(batch.keep)))
        for training, batch, state in pending
    ]
    with (
        first.ranks.own_draws(first.config.seed, first.position.total_updates, first.device),
        torch.autocast(first.device.type, torch.bfloat16, bfloat16),
    ):
        return training_losses(
            [training.network for training, _, _ in pending],
            [batch for _, batch, _ in pending],
            before,
            first.normaliser,
            first.config.loss == "discrete",
            [_divisor(training, batch) for training, batch, _ in pending],
        )


def draws_numbers(network: Network) -> bool:
    """Return whether a network draws random numbers when it is trained."""
    if isinstance(network, EncoderDecoder) or network.output_dropout > 0:
        return True
    return network.recurrent.dropout > 0


def _divisor(training: Training, batch: Batch) -> float:
    """Return the number of steps that a batch's loss is divided by."""
    return max(int(batch.values), 1) / training.framing.target_size


def _note(training: Training, sums: tuple[float, ...]) -> None:
    """Note an update that was done, for the next point of the curve."""
    position = training.position
    if training.average:
        training.average.update(training.network)
    position.skipped_in_row = 0
    position.window = [old + new for old, new in zip(position.window, sums, strict=True)]


def _skip(training: Training, lanes: int) -> State:
    """Skip an update whose loss or gradient is not finite; after several, restore the last checkpoint."""
    position = training.position
    position.skipped += 1
    position.skipped_in_row += 1
    if position.skipped_in_row >= SKIPS_BEFORE_ROLLBACK:
        roll_back(training)
    return detach_state(training.network.initial_state(lanes))


def roll_back(training: Training) -> None:
    """Restore weights and optimiser from the last checkpoint, and halve the learning rate from now on.

    Raises:
        TrainingDiverged: it was done several times before.
    """
    position = training.position
    if position.rollbacks >= ROLLBACKS_BEFORE_FAILURE:
        raise TrainingDiverged(
            f"{training.folder.path}: the loss stays non-finite after {position.rollbacks} returns to "
            "the last checkpoint; reduce train.learning_rate"
        )
    restore_weights(
        training.folder.last_checkpoint,
        training.network,
        training.optimizer,
        training.device,
        training.average,
    )
    position.rollbacks += 1
    position.skipped_in_row = 0


def schedule_progress(training: Training) -> tuple[int, int]:
    """Return update and total for the schedule; a time limit advances the update where it is ahead."""
    done, total = training.position.total_updates, training.total_updates
    if training.config.max_minutes is not None:
        spent = training.position.elapsed_s / (60 * training.config.max_minutes)
        done = max(done, int(spent * total))
    return min(done, total), total


def out_of_time(training: Training) -> bool:
    """Return whether the configured time limit has passed."""
    limit = training.config.max_minutes
    return limit is not None and training.position.elapsed_s > 60 * limit


def log_every(training: Training) -> int:
    """Return the number of updates between two logged points."""
    return max(training.config.log_updates, -(-training.total_updates // POINTS_PER_CURVE))


def log(training: Training) -> str:
    """Write a point of the training curve to the journal, and return the text for the progress bar."""
    position = training.position
    loss_sum, steps, norm_sum, updates = position.window
    spent_s = position.elapsed_s - position.logged_at_s
    position.window = [0.0] * 4
    position.logged_at_s = position.elapsed_s
    if not updates:
        return "loss not finite"
    mean, rate = loss_sum / steps, steps / max(spent_s, 1e-9)
    metrics = {
        "train/nats_per_step": mean,
        "train/gradient_norm": norm_sum / updates,
        "train/learning_rate": float(training.optimizer.param_groups[0]["lr"]),
        "train/steps_per_second": rate,
        "train/skipped_updates": float(position.skipped),
        "time/elapsed_s": position.elapsed_s,
        "time/epoch": position.total_updates / training.updates_per_epoch,
        **device_use(training.device),
    }
    training.folder.append(position.total_updates, metrics)
    return f"{mean:.3f} nats/step, {rate:,.0f} steps/s"
