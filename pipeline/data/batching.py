"""Plans and batches of chunks of recordings, for training with a carried recurrent state.

A plan is a table of updates by lanes. Each cell is a chunk of T steps of one recording; down a lane the
chunks follow one another, so the state that a lane ends an update with is the one that it needs in the next,
except where a new recording begins and the state is emptied.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.data.dataset import SplitRows
from pipeline.data.step_table import step_table
from pipeline.features.framing import Framing
from pipeline.features.normaliser import Normaliser

EMPTY = -1

STEPS_MULTIPLE = 20
"""A batch that is shorter than its plan's chunks has a multiple of these steps, so that lengths are few."""

LANES_AT_ONCE = 32
"""Lanes whose rows are gathered at once, of several updates where one has fewer: fewer take as long."""


class PlannedChunks(NamedTuple):
    """Chunks of some updates, three tables (updates, B).

    Attributes:
        recording: which recording, -1 where the lane has nothing left.
        first_step: where in it the chunk begins.
        fresh: whether the state is emptied first.
    """

    recording: np.ndarray
    first_step: np.ndarray
    fresh: np.ndarray


@dataclass(frozen=True)
class Plan:
    """A table of U updates by B lanes, of which only the recordings' lengths are held in memory.

    All chunks of all recordings are numbered, recordings in ``order``. Lane b has the number
    ``first[b] + stride * u`` in update u, if it is one of its ``count[b]`` first updates.

    Attributes:
        order: (recordings,) the recordings, in the order of their chunks' numbers.
        ends: (recordings,) the number behind the last chunk of each.
        first, count: (B,) first number of each lane, and its updates that are not empty.
        updates: U.
        stride: distance of the numbers of a lane.
        chunk_steps: T.
        shuffled: (chunks,) the chunk that stands for each number; None where the chunk is the number itself.
            The state is then carried from one chunk to the next, and otherwise emptied before each.
    """

    order: np.ndarray
    ends: np.ndarray
    first: np.ndarray
    count: np.ndarray
    updates: int
    stride: int
    chunk_steps: int
    shuffled: np.ndarray | None = None

    def __len__(self) -> int:
        return self.updates

    @property
    def lanes(self) -> int:
        """Number of lanes, B."""
        return len(self.first)

    def chunks(self, begin: int, end: int) -> PlannedChunks:
        """Return the chunks of the updates from ``begin`` to before ``end``."""
        update = np.arange(begin, end)[:, None]
        number = self.first + self.stride * update
        there = update < self.count
        number = np.where(there, number, 0)
        if self.shuffled is not None:
            number = self.shuffled[number].astype(np.int64)
        place = np.searchsorted(self.ends, number, "right")
        starts = np.concatenate([[0], self.ends[:-1]])
        first_step = np.where(there, (number - starts[place]) * self.chunk_steps, 0)
        fresh = (first_step == 0) | (update == 0) | (self.shuffled is not None)
        return PlannedChunks(np.where(there, self.order[place], EMPTY), first_step, fresh)

    def lanes_from(self, begin: int, end: int) -> "Plan":
        """Return the plan of the lanes from ``begin`` to before ``end``; those behind the last are empty."""
        more = (0, max(0, end - self.lanes))
        first, count = np.pad(self.first, more), np.pad(self.count, more)
        return replace(self, first=first[begin:end], count=count[begin:end])


def carried_plan(steps: np.ndarray, lanes: int, chunk_steps: int, order: np.ndarray) -> Plan:
    """Plan training with carried state: all recordings in ``order`` as one stream, in equal lanes.

    ``steps`` (recordings,) are their lengths. Lanes end together, only the last may be shorter; the price
    is that a recording that lies across a cut starts again from an empty state there, once per lane.
    """
    ends = _ends(steps, chunk_steps, order)
    chunks = int(ends[-1])
    updates = -(-chunks // min(lanes, chunks))
    first = np.arange(0, chunks, updates)
    return Plan(order, ends, first, np.minimum(updates, chunks - first), updates, 1, chunk_steps)


def independent_plan(steps: np.ndarray, batch: int, chunk_steps: int, random: np.random.Generator) -> Plan:
    """Plan training on shuffled chunks, each from an empty state, as in Chung et al. (2014)."""
    order = np.arange(len(steps))
    ends = _ends(steps, chunk_steps, order)
    chunks = int(ends[-1])
    shuffled = np.arange(chunks, dtype=np.int32 if chunks < 1 << 31 else np.int64)
    random.shuffle(shuffled)
    first = np.arange(min(batch, chunks))
    count = -((first - chunks) // len(first))
    return Plan(order, ends, first, count, int(count[0]), len(first), chunk_steps, shuffled)


def whole_plan(steps: np.ndarray, lanes: int, chunk_steps: int) -> Plan:
    """Plan evaluation: every recording whole in one lane, longest first into the lane that is free first."""
    lanes = max(1, min(lanes, len(steps)))
    contents: list[list[int]] = [[] for _ in range(lanes)]
    free = [(0, lane) for lane in range(lanes)]
    for recording in np.argsort(-steps, kind="stable"):
        chunks, lane = heapq.heappop(free)
        contents[lane].append(int(recording))
        heapq.heappush(free, (chunks + int(-(-steps[recording] // chunk_steps)), lane))
    order = np.concatenate([np.array(content, np.int64) for content in contents])
    ends = _ends(steps, chunk_steps, order)
    last = ends[np.cumsum([len(content) for content in contents]) - 1]
    first = np.concatenate([[0], last[:-1]])
    return Plan(order, ends, first, last - first, int((last - first).max()), 1, chunk_steps)


def beginnings_plan(recordings: np.ndarray, steps: int) -> Plan:
    """Plan one update with the first ``steps`` steps of each of some recordings, a lane each."""
    lanes = np.arange(len(recordings))
    return Plan(recordings, lanes + 1, lanes, np.ones_like(lanes), 1, 1, steps)


def _ends(steps: np.ndarray, chunk_steps: int, order: np.ndarray) -> np.ndarray:
    """Return the number behind the last chunk of each recording, recordings in ``order``."""
    return np.cumsum(-(-steps[order] // chunk_steps))


@dataclass(frozen=True)
class Batch:
    """One update's data on the device.

    Attributes:
        inputs: (B, T, D_in) normalised, or as `Framing.adaptive` says; T is at most the plan's, less where
            all recordings end before.
        targets: (B, T, D) normalised; zero where masked.
        stored: (B, T, D) targets as stored, for the exact likelihood.
        mask: (B, T, D) which targets exist; None where all do, as in most updates.
        values: how many targets exist; a tensor where the host does not wait for it.
        keep: (B,) where the carried state is kept; elsewhere it is emptied.
        recording: (B,) index within the split, -1 for an empty lane.
        bounds: those of `Normaliser.interval` of ``stored``, where they are known already.
        distance: (B,) distance of two values of each lane's recording of samples, see `SplitRows.distances`.
    """

    inputs: Tensor
    targets: Tensor
    stored: Tensor
    mask: Tensor | None
    values: int | Tensor
    keep: Tensor
    recording: Tensor
    bounds: tuple[Tensor, Tensor] | None = None
    distance: Tensor | None = None

    def intervals(self, normaliser: Normaliser) -> tuple[Tensor, Tensor]:
        """Return the bounds of the intervals of ``stored``, see `Normaliser.interval`."""
        if self.bounds is not None:
            return self.bounds
        width = 1 if self.distance is None else self.distance[:, None, None]
        return normaliser.interval(self.stored, width)


def batches(
    plan: Plan, data: SplitRows, framing: Framing, normaliser: Normaliser, first_update: int = 0
) -> Iterator[Batch]:
    """Yield the plan's updates from ``first_update`` on, gathered from the rows on their device."""
    lengths = data.length.cpu().numpy()
    at_once = max(1, LANES_AT_ONCE // plan.lanes)
    for begin in range(first_update, len(plan), at_once):
        planned = plan.chunks(begin, min(begin + at_once, len(plan)))
        yield from _gathered(planned, plan.chunk_steps, lengths, data, framing, normaliser)


def _gathered(
    planned: PlannedChunks,
    most_steps: int,
    lengths: np.ndarray,
    data: SplitRows,
    framing: Framing,
    normaliser: Normaliser,
) -> Iterator[Batch]:
    """Yield some updates, whose rows are gathered at once."""
    device = normaliser.mean.device
    table = step_table(data, framing) if framing.adaptive else None
    left = np.where(planned.recording == EMPTY, 0, lengths[planned.recording])
    left = left - planned.first_step * framing.hop
    # No lane needs more steps than the longest: the chorales of an update end long before 200 steps.
    longest = [-(-int(framing.steps(int(own))) // STEPS_MULTIPLE) * STEPS_MULTIPLE for own in left.max(1)]
    steps = [min(most_steps, max(each, STEPS_MULTIPLE)) for each in longest]
    recording = torch.from_numpy(planned.recording.reshape(-1)).to(data.rows.device)
    first_step = torch.from_numpy(planned.first_step.reshape(-1)).to(data.rows.device)
    length = torch.where(recording >= 0, data.length[recording], 0)
    stretch, exists = framing.gather(data.rows, data.offset[recording], length, first_step, max(steps))
    stretch, exists = stretch.to(device, non_blocking=True), exists.to(device, non_blocking=True)
    values = normaliser.normalise(stretch).masked_fill(~exists[:, :, None], 0.0)
    inputs, targets, mask = framing.split(values, exists)
    stored = stretch[:, framing.window :].reshape(targets.shape)
    keep = torch.from_numpy(~planned.fresh).to(device)
    distance = data.distances[recording].to(device) if normaliser.quantised else None
    lanes = planned.recording.shape[1]
    for update, chunk_steps in enumerate(steps):
        own = slice(update * lanes, (update + 1) * lanes)
        own_mask, own_targets = mask[own, :chunk_steps], targets[own, :chunk_steps]
        predicted = int(left[update].clip(0, chunk_steps * framing.hop).sum()) * framing.width
        if framing.unscored:
            begins = (planned.first_step[update] == 0) & (left[update] > 0)
            own_mask = own_mask.clone()
            own_mask[torch.from_numpy(begins), 0, : framing.unscored * framing.width] = False
            predicted -= int(begins.sum()) * framing.unscored * framing.width
        read = inputs[own, :chunk_steps]
        if table is not None:
            found = table.gather(recording[own].cpu(), first_step[own].cpu(), chunk_steps)
            read = torch.cat([own_targets, found.to(device, non_blocking=True)], -1)
        yield Batch(
            inputs=read,
            targets=own_targets,
            stored=stored[own, :chunk_steps],
            mask=own_mask if predicted < own_mask.numel() else None,
            values=predicted,
            keep=keep[update],
            recording=recording[own].to(device),
            distance=None if distance is None else distance[own],
        )
