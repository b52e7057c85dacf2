"""What every decoder of recordings gives: what a header says, and the frames in blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

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


class Reader(Protocol):
    """An open recording; `blocks` may be run through once."""

    info: AudioInfo
    notes: tuple[str, ...]
    holds_int16: bool
    holds_float64: bool

    def blocks(self, dtype: str) -> Iterator[npt.NDArray[Any]]:
        """Yield non-empty arrays (N, C), floats with 1 as full scale; raises `RecordingRefused`."""
