"""What every decoder of recordings gives: what a header says, and the frames in blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy.typing as npt

BLOCK_SAMPLES = 1 << 16  # of all channels together


@dataclass(frozen=True)
class AudioInfo:
    """What a header says: rate in Hz, frames of all channels (None where it gives no length), names."""

    sample_rate: int
    channels: int
    frames: int | None
    container: str
    encoding: str
    decoder: Literal["libsndfile", "ffmpeg"]


NoteCode = Literal[
    "clipped", "no-length", "size-field", "block-align", "bit-depth", "trailing-bytes", "no-end-mark"
]


class Note(str):
    """A line of text on something odd but harmless in a recording.

    Attributes:
        code: what is odd, for programs; the text may be reworded.
    """

    code: NoteCode

    def __new__(cls, code: NoteCode, text: str) -> Self:
        """Make a note of this code."""
        note = super().__new__(cls, text)
        note.code = code
        return note

    def __reduce__(self) -> tuple[type["Note"], tuple[NoteCode, str]]:
        """Return what a copy is made of, in this process or in another."""
        return Note, (self.code, str(self))


class Reader(Protocol):
    """An open recording; `blocks` may be run through once."""

    info: AudioInfo
    notes: tuple[Note, ...]
    holds_int16: bool
    holds_float64: bool

    def blocks(self, dtype: str) -> Iterator[npt.NDArray[Any]]:
        """Yield non-empty arrays (N, C), floats with 1 as full scale; raises `RecordingRejected`."""
