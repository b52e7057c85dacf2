"""Transposed pieces for training: in each epoch, every piece moves by a number of semitones of its own.

Melodies and chords keep their shape in another key, so a set of few pieces teaches more of them.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.data.dataset import SplitRows

STREAM = 88
"""Keeps these draws apart from those of the order of the pieces, which have the same seed and epoch."""


class TransposedPieces:
    """A split of piano rolls, transposed anew for each epoch.

    Args:
        original: the pieces as they were prepared.
        semitones: furthest move, up or down. A piece moves only as far as its notes stay on the keyboard.
        seed: of the moves, which are a function of it and the epoch.

    Attributes:
        data: the transposed pieces, at the same addresses in every epoch.
    """

    def __init__(self, original: SplitRows, semitones: int, seed: int) -> None:
        self.original, self.seed = original, seed
        lengths = original.length.cpu()
        offset = (lengths.cumsum(0) - lengths).to(original.offset.device)
        rows = original.rows.new_empty((int(lengths.sum()), original.rows.shape[1]))
        self.data = SplitRows(rows, offset, original.length)
        self._pieces = [
            (slice(start, start + length), slice(place, place + length))
            for start, place, length in zip(
                original.offset.tolist(), offset.tolist(), lengths.tolist(), strict=True
            )
        ]
        free = np.array([_free_keys(original.rows[source]) for source, _ in self._pieces])
        self.least = -np.minimum(free[:, 0], semitones)
        self.most = np.minimum(free[:, 1], semitones)
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> NDArray[np.int64]:
        """Transpose all pieces for an epoch; returns their semitones, (pieces,)."""
        random = np.random.default_rng([self.seed, epoch, STREAM])
        moves: NDArray[np.int64] = random.integers(self.least, self.most, endpoint=True)
        for (source, target), move in zip(self._pieces, moves.tolist(), strict=True):
            # The keys that come in again at the other end are silent in this piece.
            self.data.rows[target] = self.original.rows[source].roll(move, 1)
        return moves


def _free_keys(rows: Tensor) -> tuple[int, int]:
    """Return the number of keys below the lowest note of a piece and above its highest."""
    keys = torch.nonzero(rows.any(0))[:, 0]
    return (int(keys[0]), rows.shape[1] - 1 - int(keys[-1])) if len(keys) else (0, 0)
