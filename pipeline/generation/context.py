"""The rows that a model is conditioned on, in blocks, so that memory does not grow with their number."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.spooled import Sound, blocks_of, in_memory
from pipeline.features.representation import SoundRepresentation

Rows = NDArray[Any]


@dataclass(frozen=True)
class ContextRows:
    """Stored rows (N, width) of a recording, which are made anew each time they are read.

    Attributes:
        count: N.
        make: yields blocks (r, width) of any length, at least N rows in all.
    """

    count: int
    make: Callable[[], Iterable[Rows]]

    @classmethod
    def of(cls, rows: Rows) -> "ContextRows":
        """Return rows (N, width) that lie in memory."""
        return cls(len(rows), lambda: [rows])

    @classmethod
    def of_sound(cls, audio: SoundRepresentation, sound: Sound) -> "ContextRows":
        """Return the rows of a recording that depend on nothing beyond its end.

        Args:
            audio: the model's representation.
            sound: int16 samples (M,) at its sample rate.
        """
        return cls(
            audio.rows_within(len(sound)),
            lambda: audio.rows_of_blocks(chain([in_memory(sound[:0])], blocks_of(sound))),
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.count

    def blocks(self, first: int, size: int) -> Iterator[Rows]:
        """Yield the rows from ``first`` on in blocks (size, width); the last may be shorter."""
        held: list[Rows] = []
        place = count = 0
        for block in self.make():
            begin, end = max(0, first - place), min(len(block), self.count - place)
            place += len(block)
            while begin < end:
                piece = block[begin : min(end, begin + size - count)]
                held.append(piece)
                begin, count = begin + len(piece), count + len(piece)
                if count == size:
                    yield np.concatenate(held)
                    held, count = [], 0
            if place >= self.count:
                break
        if held:
            yield np.concatenate(held)

    def last(self, most: int) -> Rows:
        """Return the last rows, ``most`` or fewer."""
        if not min(most, self.count):
            return np.asarray(next(iter(self.make()))[:0])  # of the type and width of the others
        (rows,) = self.blocks(max(0, self.count - most), most)
        return rows
