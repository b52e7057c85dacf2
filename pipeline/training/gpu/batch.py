"""The batch of an update and the states that it starts from, gathered on the device without asking the host.

On a GPU one kernel does it (`models.gpu_kernels`). The operations here are its definition, and run elsewhere.
"""

from dataclasses import replace

import torch
from torch import Tensor

from models.gpu_kernels import operations
from models.recurrent.stack import State, keep_state_where
from pipeline.audio.pcm import INT16_SCALE
from pipeline.data.batching import Batch
from pipeline.data.dataset import SplitRows
from pipeline.features.framing import Framing
from pipeline.features.normaliser import Normaliser
from pipeline.training.gpu.memory import Memory
from pipeline.training.gpu.settling import Register
from pipeline.training.gpu.tables import Tables
from pipeline.training.step import Training


class BatchSource:
    """The batches of a training, each with the states that it starts from.

    Args:
        training: gives the rows and their normalisation.
        register: gives the row of the tables, and whether the update before was skipped.
        tables: of the epoch.
        state: after the update before.
        steps: T.
    """

    def __init__(
        self, training: Training, register: Register, tables: Tables, state: Memory, steps: int
    ) -> None:
        self.training, self.register, self.tables = training, register, tables
        self.state, self.steps = state, steps
        initial = training.network.initial_state(tables.chunks.shape[1])
        self._starts_at_zero = not any(part.requires_grad for part in initial)
        self._lane_of_state = Memory.of([_lanes_of(part) for part in initial]).whole
        # Of each recording, the first for none, as an empty lane has the recording -1.
        self._distances = training.data.distances.roll(1) if training.config.loss == "discrete" else None

    def __call__(self) -> tuple[Batch, Tensor, State]:
        """Return the batch of the register's row, its number of steps (), and the states before it."""
        training, register = self.training, self.register
        if not operations.has_kernels(training.device):
            batch = gathered_batch(
                self.tables, register.row, training.data, training.framing, training.normaliser, self.steps
            )
            if self._distances is not None:
                batch = replace(batch, distance=self._distances[batch.recording + 1])
            # After a skipped update every state starts anew.
            keep = batch.keep & (register.found_inf == 0)
            count = self.tables.numbers.index_select(0, register.row)[0, 1]
            return batch, count, self._started(keep)
        normaliser, framing = training.normaliser, training.framing
        inputs, targets, stored, mask, lower, upper, keep, recording, sizes = operations.gather_batch(
            register.row, register.found_inf, self.tables.chunks, self.tables.numbers, training.data.rows,
            normaliser.mean, normaliser.std, self._distances, self._lane_of_state, self.state.whole,
            normaliser.unit, [framing.window, framing.hop, framing.width], self.steps, -INT16_SCALE,
        )  # fmt: skip
        count, values = sizes.unbind()
        bounds = None if self._distances is None else (lower, upper)
        batch = Batch(inputs, targets, stored, mask, values, keep, recording, bounds)
        return batch, count, self.state.parts if self._starts_at_zero else self._started(keep)

    def _started(self, keep: Tensor) -> State:
        return keep_state_where(self.state.parts, keep, self.training.network.initial_state(len(keep)))


def _lanes_of(part: Tensor) -> Tensor:
    """Return the lane of each number of a state (..., B, ...) of three dimensions."""
    lanes = torch.arange(part.shape[1], device=part.device, dtype=torch.int32)
    return lanes[None, :, None].expand(part.shape)


def gathered_batch(
    tables: Tables, row: Tensor, data: SplitRows, framing: Framing, normaliser: Normaliser, steps: int
) -> Batch:
    """Return the batch of one row of the tables; it has the same shapes for every row.

    Args:
        tables: of the epoch.
        row: (1,), number of the row.
        data: rows of the split, on the device.
        framing: division of rows into steps.
        normaliser: normalisation of the rows.
        steps: T.

    Returns:
        The batch, always with a mask. Its number of values is a tensor.
    """
    recording, start, begin, end, scored, keep = tables.chunks.index_select(0, row)[0].unbind(-1)
    position = torch.arange(framing.window + steps * framing.hop, device=start.device)
    exists = (position >= begin[:, None]) & (position < end[:, None])
    stretch = data.rows[(start[:, None] + position).clamp(0, len(data.rows) - 1)]
    values = normaliser.normalise(stretch).masked_fill(~exists[:, :, None], 0.0)
    inputs, targets, mask = framing.split(values, exists & (position >= scored[:, None]))
    stored = stretch[:, framing.window :].reshape(targets.shape)
    predicted = tables.numbers.index_select(0, row)[0, 1] * framing.target_size
    return Batch(inputs, targets, stored, mask, predicted, keep > 0, recording)
