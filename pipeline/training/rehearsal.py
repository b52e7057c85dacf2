"""What a training does before its clock starts: tables are computed, and kernels are compiled for a CPU.

Both are kept on the disk for later trainings. With `train.max_minutes`, the first one would have less time to
train than the others.
"""

import torch

from pipeline.data.batching import batches
from pipeline.data.dataset import split_rows
from pipeline.data.step_table import step_table
from pipeline.model.likelihood import training_loss
from pipeline.training.begin import epoch_plan
from pipeline.training.step import Training


def rehearse(training: Training) -> None:
    """Compute what the next update needs, and the update's gradients, which are forgotten.

    Weights, moments, position and random draws stay as they are, so that the training is the same with and
    without it.

    Args:
        training: at the position from which it begins or resumes.
    """
    if training.position.finished:
        return
    if training.framing.adaptive:
        step_table(training.data, training.framing)
        step_table(split_rows(training.dataset, "valid", training.device), training.framing)
    if training.device.type == "cpu":  # updates on a GPU are compiled and compared when they are captured
        _compile(training)


def _compile(training: Training) -> None:
    config, position, network = training.config, training.position, training.network
    plan = training.ranks.own_plan(epoch_plan(training, position.epoch))
    coming = batches(plan, training.data, training.framing, training.normaliser, position.update)
    if (batch := next(coming, None)) is None:
        return
    state = network.initial_state(plan.lanes)
    bfloat16 = config.precision == "bfloat16"
    with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16, bfloat16):
        loss, _ = training_loss(
            network, batch, state, training.normaliser, config.loss == "discrete", float(plan.chunk_steps)
        )
    loss.backward()
    training.optimizer.zero_grad(set_to_none=True)
