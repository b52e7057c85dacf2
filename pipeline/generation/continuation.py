"""A recording and its continuations: where they meet, which is nearest to it, at which rate they are."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import Samples, fade_in, resample
from pipeline.errors import UserError


@dataclass(frozen=True)
class JoinOptions:
    """How a recording and its continuation are joined.

    Attributes:
        trim_end_s: how much of the recording's end is left out first.
        context_s: how much of what is left the model hears; all where None.
        crossfade_s: how long the recording's end fades into the continuation, which begins so much earlier.
    """

    trim_end_s: float = 0.0
    context_s: float | None = None
    crossfade_s: float = 0.0

    def __post_init__(self) -> None:
        """Raises `UserError` for what cannot be."""
        context_s = 1.0 if self.context_s is None else self.context_s
        if not (self.trim_end_s >= 0 and context_s > 0 and self.crossfade_s >= 0):
            raise UserError("cut and cross-fade must not be negative, context must be positive", 2)


END_TO_END = JoinOptions()


@dataclass(frozen=True)
class Continuation:
    """A recording and its continuations, the one whose sound is nearest to the recording's first.

    Attributes:
        sample_rate: of all samples, in Hz.
        heard: (M,) int16, the recording as far as it is kept.
        added: (B, N) int16, what follows.
        seeds: of each take, with which it can be drawn again by itself.
        nats_per_step: of each, how likely the model finds it; None for a single one.
        distance_db: of each, the spectral distance to the recording's end, by which they are ranked (see
            `pipeline.generation.ranking`); None for a single one, and where nothing was heard: these are in
            the order of their seeds.
        limiter: of each, how long and from when on a runaway was held back.
    """

    sample_rate: int
    context: Samples
    added: Samples
    seeds: list[int]
    nats_per_step: list[float] | None
    distance_db: list[float] | None
    limiter: list[dict[str, float | None]]

    def __repr__(self) -> str:
        """Name the takes, their length, and what they follow, in one line."""
        takes, count = self.added.shape
        length = f"{count / self.sample_rate:.2f} s after {self.seam_s:.2f} s"
        return f"<Continuation of {length} at {self.sample_rate} Hz, takes: {takes}>"

    @property
    def seam_s(self) -> float:
        """When the continuation begins, in seconds."""
        return len(self.context) / self.sample_rate

    def sound(self, take: int) -> Samples:
        """The recording and one continuation, (M + N,) int16."""
        return np.concatenate([self.context, self.added[take]])

    def at_rate(self, original: Samples, sample_rate: int) -> "Continuation":
        """The same after ``original`` (M',) int16 at another rate, which stays as it is up to the seam."""
        if sample_rate == self.sample_rate:
            return self
        kept = min(len(original), round(len(self.context) * sample_rate / self.sample_rate))
        count = round(self.added.shape[1] * sample_rate / self.sample_rate)
        added = np.zeros((len(self.added), count), np.int16)
        for take in range(len(self.added)):
            converted = resample(self.sound(take), self.sample_rate, sample_rate)[kept : kept + count]
            added[take, : len(converted)] = converted
        return replace(self, sample_rate=sample_rate, context=original[:kept], added=added)


def crossfade(before: NDArray[np.int16], after: NDArray[np.int16]) -> NDArray[np.int16]:
    """One sound that fades into another, both (..., n) int16: raised cosines that add up to 1."""
    rise = fade_in(before.shape[-1])
    faded: NDArray[np.int16] = np.rint(before * (1 - rise) + after * rise).astype(np.int16)
    return faded
