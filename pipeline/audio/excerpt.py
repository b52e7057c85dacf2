"""A part of an open recording: some of its frames, some of its channels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio.reader import Note, OpenRecording
from pipeline.errors import RecordingRejected

MAX_OVERSHOOT_S = 0.5
"""A part may end so much after the end of the file, and is cut there: times in manifests are rounded."""


@dataclass(frozen=True)
class Excerpt:
    """A part of a recording.

    Attributes:
        start_seconds: where it begins.
        seconds: its duration; None means to the end.
        channel: the only channel used, from 0 on; None keeps all.
    """

    start_seconds: float = 0.0
    seconds: float | None = None
    channel: int | None = None

    def frames(self, sample_rate: int) -> tuple[int, int | None]:
        """Return its first frame and the one after its last.

        Both are rounded to the nearest frame, so parts that meet in time share no frame and lose none.
        """
        first = round(self.start_seconds * sample_rate)
        if self.seconds is None:
            return first, None
        return first, max(first + 1, round((self.start_seconds + self.seconds) * sample_rate))


class ExcerptReader:
    """The part of an open recording that an `Excerpt` names, itself an open recording."""

    seekable = False

    def __init__(self, reader: OpenRecording, excerpt: Excerpt) -> None:
        info = reader.info
        self._reader, self._channel = reader, excerpt.channel
        if excerpt.channel is not None and excerpt.channel >= info.channels:
            there = f"the file has {info.channels}"
            raise RecordingRejected("channels", f"channel {excerpt.channel + 1} is asked for, {there}")
        self._first, self._end = excerpt.frames(info.sample_rate)
        self.notes: tuple[Note, ...] = reader.notes
        self.holds_int16, self.holds_float64 = reader.holds_int16, reader.holds_float64
        if info.frames is not None:
            self._fit(info.frames)
        frames = None if self._end is None else self._end - self._first
        channels = info.channels if excerpt.channel is None else 1
        self.info = replace(info, frames=frames, channels=channels)

    def blocks(self, dtype: str) -> Iterator[npt.NDArray[Any]]:
        """Yield the frames of the part, as `OpenRecording.blocks` does."""
        position = 0
        if self._reader.seekable and self._first:
            self._reader.skip(self._first)
            position = self._first
        for block in self._reader.blocks(dtype):
            begin, end = max(0, self._first - position), len(block)
            if self._end is not None:
                end = min(end, self._end - position)
            if begin < end:
                yield self._part(block[begin:end])
            position += len(block)
            if self._end is not None and position >= self._end:
                return
        self._fit(position)

    def skip(self, frames: int) -> None:
        """Raise: a part is not divided again."""
        raise NotImplementedError

    def _part(self, block: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._channel is None:
            return block
        return np.ascontiguousarray(block[:, self._channel : self._channel + 1])

    def _fit(self, frames: int) -> None:
        """Cut the part at the end of a file of ``frames``; raise where it lies beyond."""
        rate = self._reader.info.sample_rate
        length = f"the file ends at {frames / rate:.3f} s"
        if self._first >= frames:
            raise RecordingRejected("outside", f"begins at {self._first / rate:.3f} s, but {length}")
        if self._end is None:
            self._end = frames
        elif self._end > frames:
            ends = f"ends at {self._end / rate:.3f} s, but {length}"
            if self._end - frames > MAX_OVERSHOOT_S * rate:
                raise RecordingRejected("outside", ends)
            self._end = frames
            self.notes += (Note("past-end", f"{ends}: cut there"),)
