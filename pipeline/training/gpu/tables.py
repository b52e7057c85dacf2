"""The plan of an epoch as tables on the device, from which an update reads its row by a counter."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.cuda_graphs.step import WARM_UP_CALLS
from pipeline.data.batching import EMPTY, STEPS_MULTIPLE, Plan
from pipeline.data.dataset import SplitRows
from pipeline.features.framing import Framing


class Tables(NamedTuple):
    """Tables of U updates of B lanes.

    A lane's chunk is a stretch of W = window + T hop rows of its recording. Positions count from the first.

    Attributes:
        chunks: (U, B, 6) int64. In this order: the recording, -1 for an empty lane; the row of the split at
            position 0, which may lie before the recording; the first position that exists, and that behind
            the last; the first position that is predicted; 1 where the carried state is kept, else 0.
        numbers: (U, 2) float32, the learning rate and the number of steps, at least a fraction of one.
    """

    chunks: Tensor
    numbers: Tensor


def on_host(data: SplitRows) -> tuple[np.ndarray, np.ndarray]:
    """Return first row and number of rows of each recording, (recordings,) each; waits for the device."""
    return data.offset.cpu().numpy(), data.length.cpu().numpy()


def chunk_steps(plan: Plan, lengths: np.ndarray, framing: Framing) -> int:
    """Return the number of steps T that every update of any epoch has.

    Args:
        plan: of one epoch.
        lengths: (recordings,) rows of each.
        framing: division of rows into steps.
    """
    longest = -(-int(framing.steps(int(lengths.max()))) // STEPS_MULTIPLE) * STEPS_MULTIPLE
    return min(plan.chunk_steps, longest)


def chunk_table(
    plan: Plan, offsets: np.ndarray, lengths: np.ndarray, framing: Framing, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the table of chunks, (U, B, 6), and how many values each update predicts, (U,).

    Args:
        plan: of one epoch.
        offsets, lengths: (recordings,), first row and number of rows of each recording of the split.
        framing: division of rows into steps.
        steps: T.
    """
    recording, first_step, fresh = plan.chunks(0, len(plan))
    empty, first_row = recording == EMPTY, first_step * framing.hop
    left = np.where(empty, 0, lengths[recording] - first_row).clip(0, steps * framing.hop)
    scored = framing.window + np.where(first_step == 0, framing.unscored, 0)
    begin = (framing.window - first_row).clip(min=0)
    end = np.where(empty, 0, framing.window + left)
    start = np.where(empty, 0, offsets[recording] + first_row - framing.window)
    values = (end - scored).clip(min=0).sum(1) * framing.width
    return np.stack([recording, start, begin, end, scored, ~fresh], -1).astype(np.int64), values


def empty_tables(plan: Plan, device: torch.device) -> Tables:
    """Return tables for this and all other epochs of a training, which have plans of one size.

    Behind them lie empty rows, which are read where a graph is recorded at the end of an epoch.
    """
    updates = len(plan) + WARM_UP_CALLS
    chunks = torch.zeros(updates, plan.lanes, 6, dtype=torch.int64, device=device)
    return Tables(chunks, torch.zeros(updates, 2, device=device))
