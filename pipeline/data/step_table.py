"""The steps of recordings for a head on adaptive predictions, computed once and kept beside the data set.

A recording's rows (see `models.adaptive.step_features`) follow one another, those of all recordings of a
split in one table of float16, which is mapped into memory.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pipeline.common.files import atomic_path
from pipeline.common.locks import announced_lock
from pipeline.common.progress import shown
from pipeline.data.preparing.execution import usable_processors
from pipeline.data.store.disk import require_space
from pipeline.features.framing import Framing

if TYPE_CHECKING:
    from pipeline.data.dataset import SplitRows

VERSION = 2
"""Raise it when rows change their meaning: older tables are then made anew."""


@dataclass(frozen=True)
class StepTable:
    """Rows of the steps of all recordings of a split.

    Attributes:
        rows: (S, F) float16.
        first: (recordings + 1,) row of each recording's first step, and a last one for what is no recording.
        steps: (recordings + 1,) number of each recording's steps.
    """

    rows: Tensor
    first: Tensor
    steps: Tensor

    def gather(self, recording: Tensor, first_step: Tensor, steps: int) -> Tensor:
        """Return the rows of B stretches, (B, steps, F) float32; 0 after the end of a recording.

        Args:
            recording: (B,) index of each stretch's recording, -1 for none.
            first_step: (B,) step with which it begins.
            steps: T.
        """
        step = first_step[:, None] + torch.arange(steps)
        place = (self.first[recording][:, None] + step).clamp(max=len(self.rows) - 1)
        exists = step < self.steps[recording][:, None]
        return self.rows[place].float().masked_fill(~exists[:, :, None], 0.0)


def step_table(data: "SplitRows", framing: Framing) -> StepTable:
    """Return the table of a split, which is computed unless it is kept already.

    Args:
        data: rows of the split; where it names no place to keep the table, it is computed in memory. A kept
            table of another size is damaged, and made anew.
        framing: of a model whose head stands on adaptive predictions.

    Raises:
        UserError: the disk is too small for the table.
    """
    from models.adaptive.step_features import row_size

    length = data.length.cpu()
    steps = framing.steps(length)
    first = steps.cumsum(0) - steps
    size = row_size(framing.hop, framing.window)
    shape = int(steps.sum()), size
    if data.kept is None:
        table = np.empty(shape, np.float16)
        _fill(table, data, framing, first.tolist())
    else:
        path = data.kept.with_name(f"{data.kept.name}-steps-{framing.hop}-{framing.window}-{VERSION}.bin")
        with announced_lock(path.with_suffix(".lock"), "adaptive predictions are computed"):
            if not path.exists() or path.stat().st_size != 2 * math.prod(shape):
                _write(path, shape, data, framing, first.tolist())
        table = np.memmap(path, np.float16, "c", shape=shape)
    none = torch.zeros(1, dtype=torch.int64)
    return StepTable(torch.from_numpy(np.asarray(table)), torch.cat([first, none]), torch.cat([steps, none]))


def _write(path: Path, shape: tuple[int, int], data: "SplitRows", framing: Framing, first: list[int]) -> None:
    require_space(path.parent, 2 * math.prod(shape), "the table of adaptive predictions")
    with atomic_path(path) as temporary:
        table = np.memmap(temporary, np.float16, "w+", shape=shape)
        _fill(table, data, framing, first)
        table.flush()


def _fill(table: np.ndarray, data: "SplitRows", framing: Framing, first: list[int]) -> None:
    from models.adaptive.step_features import StepFeatures

    rows = data.rows.cpu().numpy()[:, 0]
    offset, length, unused = (part.tolist() for part in (data.offset, data.length, data.unused_bits))

    def fill(index: int) -> None:
        samples = rows[offset[index] : offset[index] + length[index]]
        found = StepFeatures(framing.hop, framing.window, unused[index]).rows(samples)
        table[first[index] : first[index] + len(found)] = found

    with ThreadPoolExecutor(usable_processors()) as pool:
        for _ in shown(pool.map(fill, range(len(length))), len(length), "adaptive predictions"):
            pass
