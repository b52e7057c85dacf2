"""One update of the weights; updates with a non-finite loss or gradient are skipped."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

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
from pipeline.model.likelihood import training_loss
from pipeline.tracking.run_folder import RunFolder
from pipeline.training.averaging import WeightAverage
from pipeline.training.checkpoint import Position, restore_weights
from pipeline.training.optimiser import learning_rate
from pipeline.training.ranks.group import ALONE, Ranks

POINTS_PER_CURVE = 1_000
"""Largest number of logged points; with more, the tracking server's pages are slow."""

SKIPS_BEFORE_ROLLBACK = 10
ROLLBACKS_BEFORE_FAILURE = 3


@dataclass
class Training:
    """State of a running training that the functions of the loop share."""

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

    @property
    def total_updates(self) -> int:
        """Number of updates in all epochs."""
        return self.updates_per_epoch * self.config.epochs


def update(training: Training, batch: Batch, state: State) -> State:
    """Do one step of the optimiser on a batch. A non-finite loss or gradient changes no weight.

    Args:
        training: the running training; its position is advanced.
        batch: inputs and targets of the update.
        state: state of the recurrence before the batch.

    Returns:
        The state after the batch, detached; the initial state after a skipped update.

    Raises:
        TrainingDiverged: the loss stays non-finite after several returns to the last checkpoint.
    """
    position, network = training.position, training.network
    rate = learning_rate(training.config, *schedule_progress(training)) * 0.5**position.rollbacks
    for group in training.optimizer.param_groups:
        group["lr"] = rate
    if isinstance(network, EncoderDecoder):
        done, total = schedule_progress(training)
        network.sampling_probability = training.config.scheduled_sampling * done / total
    values = int(batch.values)
    steps = max(values, 1) / training.framing.target_size
    discrete = training.config.loss == "discrete"
    before = keep_state_where(state, batch.keep, network.initial_state(len(batch.keep)))
    bfloat16 = training.config.precision == "bfloat16"
    with weight_noise(network, training.config.weight_noise):
        with (
            training.ranks.own_draws(training.config.seed, position.total_updates, training.device),
            torch.autocast(training.device.type, torch.bfloat16, bfloat16),
        ):
            loss, after = training_loss(network, batch, before, training.normaliser, discrete, steps)
        training.optimizer.zero_grad(set_to_none=True)
        loss.backward()
    own_steps = values / training.framing.target_size
    weights = training.optimizer.param_groups[0]["params"]  # without a walk through all modules
    loss, steps = training.ranks.join_gradients(weights, loss.detach(), steps, own_steps)
    norm = torch.nn.utils.clip_grad_norm_(weights, training.config.clip_norm)
    position.update += 1
    position.total_updates += 1
    loss_value, norm_value = torch.stack([loss.detach(), norm]).tolist()
    if not np.isfinite(loss_value) or not np.isfinite(norm_value):
        return _skip(training, len(batch.keep))
    training.optimizer.step()
    if training.average:
        training.average.update(network)
    position.skipped_in_row = 0
    sums = (loss_value * steps, steps, norm_value, 1.0)
    position.window = [old + new for old, new in zip(position.window, sums, strict=True)]
    return detach_state(tuple(part.float() for part in after))


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
