"""The interface of all readers of recordings: facts of the header, and the frames in blocks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy.typing as npt

BLOCK_SAMPLES = 1 << 16  # of all channels together


@dataclass(frozen=True)
class AudioInfo:
    """Facts that the header of a recording states.

    Attributes:
        sample_rate: in Hz.
        channels: how many.
        frames: samples of each channel; None where the header gives no length.
        container, encoding: as the reader names them.
        decoder: the reader's name.
    """

    sample_rate: int
    channels: int
    frames: int | None
    container: str
    encoding: str
    decoder: str


NoteCode = Literal[
    "clipped",
    "no-length",
    "size-field",
    "block-align",
    "bit-depth",
    "trailing-bytes",
    "no-end-mark",
    "past-end",
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


class OpenRecording(Protocol):
    """An open recording; `blocks` may be run through once.

    Attributes:
        info: facts of the header.
        notes: what is odd but harmless.
        holds_int16: whether samples are 16-bit integers, which `int16` gives bit for bit.
        holds_float64: whether samples are floats of 64 bits.
        seekable: whether `skip` moves to a frame without decoding those before it, with the same samples.
    """

    info: AudioInfo
    notes: tuple[Note, ...]
    holds_int16: bool
    holds_float64: bool
    seekable: bool

    def blocks(self, dtype: str) -> Iterator[npt.NDArray[Any]]:
        """Yield non-empty arrays (N, C) of a type, front to back.

        Args:
            dtype: `float32` or `float64`, with 1 as full scale; `int16` only where ``holds_int16``. The
                recording holds more than `float32` can only where ``holds_float64``.

        Raises:
            RecordingRejected: the recording is damaged or ends early, which may show only at its end.
        """

    def skip(self, frames: int) -> None:
        """Let `blocks` begin ``frames`` after the first; only where it is ``seekable``."""


class CannotRead(Exception):
    """A recording is not of the kind that a reader reads; another reader may read it.

    Attributes:
        installed: False where what the reader needs is missing.
    """

    def __init__(self, reason: str, installed: bool = True) -> None:
        super().__init__(reason)
        self.installed = installed


@dataclass(frozen=True)
class Availability:
    """Whether a reader can be used here: how bad it is, a sentence on what is there, and what to do."""

    severity: Literal["problem", "warning", "fine"]
    what: str
    advice: str = ""


@dataclass(frozen=True)
class Reader:
    """One way to read recordings.

    Attributes:
        name: in messages and as `AudioInfo.decoder`.
        open: opens a path, given also as an open file at its beginning, with notes found so far. Raises
            `CannotRead` to leave a recording to the next reader, and `RecordingRejected` to end the search.
        here: whether it can be used on this machine.
    """

    name: str
    open: Callable[[Path, BufferedReader, tuple[Note, ...]], AbstractContextManager[OpenRecording]]
    here: Callable[[], Availability]
