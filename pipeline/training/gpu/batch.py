"""The batch of an update, gathered on the device without a question to the host.

On a GPU one kernel does it (`models.gpu_kernels`). The operations here are its definition, and run elsewhere.
"""

import torch
from torch import Tensor

from pipeline.data.batching import Batch
from pipeline.data.dataset import SplitRows
from pipeline.features.framing import Framing
from pipeline.features.normaliser import Normaliser
from pipeline.training.gpu.tables import Tables


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
