"""One update of the weights as a function of tensors that stay where they are, which asks for no value.

It computes what `pipeline.training.step.update` does. What that reads from the host, this reads from tables,
and what that decides on the host, this decides on the device. So the host never waits, and the whole update
can be replayed as one CUDA graph.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from models.recurrent.stack import weight_noise
from pipeline.data.batching import Plan
from pipeline.model.likelihood import training_loss
from pipeline.training.gpu import tables
from pipeline.training.gpu.batch import BatchSource
from pipeline.training.gpu.memory import Memory
from pipeline.training.gpu.optimisers import DeviceOptimiser
from pipeline.training.gpu.settling import DONE, SKIPPED_IN_ROW, Register, settle
from pipeline.training.optimiser import learning_rate
from pipeline.training.step import Training, schedule_progress


class DeviceUpdate:
    """The update of a training, with all that it reads and writes.

    Args:
        training: its optimiser is prepared for updates on the device.
        plan: of any of its epochs; all have one size.
    """

    def __init__(self, training: Training, plan: Plan) -> None:
        self.training = training
        self.register = Register.on(training.device)
        self.tables = tables.empty_tables(plan, training.device)
        self._offsets, self._lengths = tables.on_host(training.data)
        self.steps = tables.chunk_steps(plan, self._lengths, training.framing)
        self._values = np.zeros(0)
        self._one = torch.ones((), device=training.device)
        self.weights = [each for each in training.network.parameters() if each.requires_grad]
        self.gradients = Memory.of([torch.zeros_like(weight) for weight in self.weights])
        for weight, gradient in zip(self.weights, self.gradients.parts, strict=True):
            weight.grad = gradient
        self.optimise = DeviceOptimiser(training.optimizer, self.register, self.weights, self.gradients)
        self.state = Memory.of(training.network.initial_state(plan.lanes))
        self.batch = BatchSource(training, self.register, self.tables, self.state, self.steps)

    def begin_epoch(self, plan: Plan) -> None:
        """Put an epoch's plan, and the position of the training in it, on the device."""
        training = self.training
        chunks, self._values = tables.chunk_table(
            plan, self._offsets, self._lengths, training.framing, self.steps
        )
        self.tables.chunks[: len(plan)].copy_(torch.from_numpy(chunks))
        self.place()

    def place(self) -> None:
        """Put learning rates and the position of the training on the device."""
        position = self.training.position
        first = position.total_updates - position.update
        rates = [self._rate(first + number) for number in range(len(self._values))]
        steps = np.maximum(self._values, 1) / self.training.framing.target_size
        numbers = np.stack([rates, steps], -1).astype(np.float32)
        self.tables.numbers[: len(numbers)].copy_(torch.from_numpy(numbers))
        self.register.row.fill_(position.update)
        self.register.sums[SKIPPED_IN_ROW].fill_(position.skipped_in_row)
        self.register.sums[DONE].fill_(self.training.average.updates if self.training.average else 0)
        if position.state:  # empty at the beginning of an epoch, where no lane reads it
            torch._foreach_copy_(self.state.parts, position.state)

    def _rate(self, update: int) -> float:
        training = self.training
        done = max(update, schedule_progress(training)[0])
        return learning_rate(training.config, min(done, training.total_updates), training.total_updates) * (
            0.5**training.position.rollbacks
        )

    def __call__(self) -> None:
        """Do the update of the register's row."""
        training, register = self.training, self.register
        network, config = training.network, training.config
        batch, steps, before = self.batch()
        with weight_noise(network, config.weight_noise):
            bfloat16 = config.precision == "bfloat16"
            with torch.autocast(training.device.type, torch.bfloat16, bfloat16, cache_enabled=False):
                discrete = config.loss == "discrete"
                loss, after = training_loss(network, batch, before, training.normaliser, discrete, steps)
            found = torch.autograd.grad(loss, self.weights, self._one, materialize_grads=True)
        torch._foreach_copy_(self.gradients.parts, found)
        norm = torch.linalg.vector_norm(self.gradients.whole)
        decay = training.average.decay if training.average else 0.0
        settle(register, self.tables.numbers, loss.detach(), norm, config.clip_norm, decay)
        self.optimise()
        if training.average:
            training.average.move(network, register.fraction)
        torch._foreach_copy_(self.state.parts, [part.detach() for part in after])

    def read(self) -> None:
        """Wait for the device, and give the training's position what happened since the last time."""
        position, sums = self.training.position, self.register.sums
        *window, skipped, in_row, done = sums.tolist()
        position.window = [old + new for old, new in zip(position.window, window, strict=True)]
        position.skipped += int(skipped)
        position.skipped_in_row = int(in_row)
        if self.training.average:
            self.training.average.updates = int(done)
        sums[:SKIPPED_IN_ROW].zero_()
        position.state = self.state.parts

    @contextmanager
    def left_unchanged(self) -> Iterator[None]:
        """Undo at the end all that updates change inside."""
        tensors = self.tensors()
        before = [part.detach().clone() for part in tensors]
        try:
            yield
        finally:
            with torch.no_grad():
                for place, part in zip(tensors, before, strict=True):
                    place.copy_(part)

    def tensors(self) -> list[Tensor]:
        """Return all tensors that an update changes."""
        training = self.training
        moments = [each for state in training.optimizer.state.values() for each in state.values()]
        average = list(training.average.weights.values()) if training.average else []
        return [*self.weights, *moments, *average, *self.state.parts, *self.register]
