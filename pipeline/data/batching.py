"""Plans and batches of chunks of recordings, for training with a carried recurrent state.

A plan is a table of updates by lanes. Each cell is a chunk of T steps of one recording; down a lane the
chunks follow one another, so the state that a lane ends an update with is the one that it needs in the next,
except where a new recording begins and the state is emptied.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.data.dataset import SplitRows
from pipeline.features.framing import Framing
from pipeline.features.normaliser import Normaliser

EMPTY = -1

STEPS_MULTIPLE = 20
"""A batch that is shorter than its plan's chunks has a multiple of these steps, so that lengths are few."""


@dataclass(frozen=True)
class Plan:
    """A table of U updates by B lanes.

    Attributes:
        recording: (U, B) which recording, -1 where the lane has nothing left.
        first_step: (U, B) where in it the chunk begins.
        fresh: (U, B) whether the state is emptied first.
        chunk_steps: T.
    """

    recording: np.ndarray
    first_step: np.ndarray
    fresh: np.ndarray
    chunk_steps: int

    def __len__(self) -> int:
        return len(self.recording)


def carried_plan(steps: np.ndarray, lanes: int, chunk_steps: int, order: np.ndarray) -> Plan:
    """Plan training with carried state: all recordings in ``order`` as one stream, in equal lanes.

    ``steps`` (recordings,) are their lengths. Lanes end together, only the last may be shorter; the price
    is that a recording that lies across a cut starts again from an empty state there, once per lane.
    """
    recording, first_step = _chunks(steps, chunk_steps, order)
    updates = -(-len(recording) // min(lanes, len(recording)))
    lanes = -(-len(recording) // updates)
    spare = updates * lanes - len(recording)
    recording = np.concatenate([recording, np.full(spare, EMPTY)]).reshape(lanes, updates).T
    first_step = np.concatenate([first_step, np.zeros(spare, np.int64)]).reshape(lanes, updates).T
    fresh = first_step == 0
    fresh[0] = True
    return Plan(recording, first_step, fresh, chunk_steps)


def independent_plan(steps: np.ndarray, batch: int, chunk_steps: int, random: np.random.Generator) -> Plan:
    """Plan training on shuffled chunks, each from an empty state, as in Chung et al. (2014)."""
    recording, first_step = _chunks(steps, chunk_steps, np.arange(len(steps)))
    shuffled = random.permutation(len(recording))
    batch = min(batch, len(recording))
    updates = -(-len(recording) // batch)
    spare = updates * batch - len(recording)
    recording = np.concatenate([recording[shuffled], np.full(spare, EMPTY)]).reshape(updates, batch)
    first_step = np.concatenate([first_step[shuffled], np.zeros(spare, np.int64)]).reshape(updates, batch)
    return Plan(recording, first_step, np.ones_like(recording, bool), chunk_steps)


def whole_plan(steps: np.ndarray, lanes: int, chunk_steps: int) -> Plan:
    """Plan evaluation: every recording whole in one lane, longest first into the lane that is free first."""
    lanes = max(1, min(lanes, len(steps)))
    contents: list[list[int]] = [[] for _ in range(lanes)]
    free = [(0, lane) for lane in range(lanes)]
    for recording in np.argsort(-steps, kind="stable"):
        chunks, lane = heapq.heappop(free)
        contents[lane].append(int(recording))
        heapq.heappush(free, (chunks + int(-(-steps[recording] // chunk_steps)), lane))
    columns = [_chunks(steps, chunk_steps, np.array(content, np.int64)) for content in contents]
    updates = max(len(recording) for recording, _ in columns)
    table = np.full((updates, lanes), EMPTY)
    first = np.zeros((updates, lanes), np.int64)
    for lane, (recording, first_step) in enumerate(columns):
        table[: len(recording), lane] = recording
        first[: len(recording), lane] = first_step
    return Plan(table, first, first == 0, chunk_steps)


def _chunks(steps: np.ndarray, chunk_steps: int, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return recording and first step of every chunk, recordings in ``order``."""
    counts = -(-steps[order] // chunk_steps)
    recording = np.repeat(order, counts)
    begins = np.repeat(np.cumsum(counts) - counts, counts)
    return recording, (np.arange(len(recording)) - begins) * chunk_steps


@dataclass(frozen=True)
class Batch:
    """One update's data on the device.

    Attributes:
        inputs: (B, T, D_in) normalised; T is at most the plan's, less where all recordings end before.
        targets: (B, T, D) normalised; zero where masked.
        stored: (B, T, D) targets as stored, for the exact likelihood.
        mask: (B, T, D) which targets exist; None where all do, as in most updates.
        values: how many targets exist.
        keep: (B,) where the carried state is kept; elsewhere it is emptied.
        recording: (B,) index within the split, -1 for an empty lane.
    """

    inputs: Tensor
    targets: Tensor
    stored: Tensor
    mask: Tensor | None
    values: int
    keep: Tensor
    recording: Tensor


def batches(
    plan: Plan, data: SplitRows, framing: Framing, normaliser: Normaliser, first_update: int = 0
) -> Iterator[Batch]:
    """Yield the plan's updates from ``first_update`` on, gathered from the rows on their device."""
    device = normaliser.mean.device
    lengths = data.length.cpu().numpy()
    for update in range(first_update, len(plan)):
        recording = torch.from_numpy(plan.recording[update]).to(data.rows.device)
        first_step = torch.from_numpy(plan.first_step[update]).to(data.rows.device)
        length = torch.where(recording >= 0, data.length[recording], 0)
        left = np.where(plan.recording[update] == EMPTY, 0, lengths[plan.recording[update]])
        left = left - plan.first_step[update] * framing.hop
        # No lane needs more steps than the longest: the chorales of an update end long before 200 steps.
        longest = -(-int(framing.steps(int(left.max()))) // STEPS_MULTIPLE) * STEPS_MULTIPLE
        chunk_steps = min(plan.chunk_steps, max(longest, STEPS_MULTIPLE))
        stretch, exists = framing.gather(data.rows, data.offset[recording], length, first_step, chunk_steps)
        stretch, exists = stretch.to(device, non_blocking=True), exists.to(device, non_blocking=True)
        values = normaliser.normalise(stretch).masked_fill(~exists[:, :, None], 0.0)
        inputs, targets, mask = framing.split(values, exists)
        predicted = int(left.clip(0, chunk_steps * framing.hop).sum()) * framing.width
        if framing.unscored:
            begins = (plan.first_step[update] == 0) & (left > 0)
            mask = mask.clone()
            mask[torch.from_numpy(begins), 0, : framing.unscored * framing.width] = False
            predicted -= int(begins.sum()) * framing.unscored * framing.width
        stored = stretch[:, framing.window :].reshape(targets.shape)
        keep = torch.from_numpy(~plan.fresh[update]).to(device)
        some_mask = mask if predicted < mask.numel() else None
        yield Batch(inputs, targets, stored, some_mask, predicted, keep, recording.to(device))
