"""Recordings with their continuations: joining, order of the takes, and sample rate."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import Samples, fade_in, resample_blocks, to_float, to_int16
from pipeline.audio.spooled import Sound, blocks_of, in_memory
from pipeline.errors import UserError


@dataclass(frozen=True)
class JoinOptions:
    """Options for joining a recording and its continuation.

    Attributes:
        trim_end_s: seconds that are removed from the recording's end first.
        context_s: seconds before the seam that the model is conditioned on; all of the rest where None.
        crossfade_s: seconds over which the recording's end fades into the continuation, which begins earlier
            by this length.
    """

    trim_end_s: float = 0.0
    context_s: float | None = None
    crossfade_s: float = 0.0

    def __post_init__(self) -> None:
        """Raise `UserError` where a length is out of range."""
        context_s = 1.0 if self.context_s is None else self.context_s
        if not (self.trim_end_s >= 0 and context_s > 0 and self.crossfade_s >= 0):
            raise UserError("trimmed end and cross-fade must not be negative, context must be positive", 2)


END_TO_END = JoinOptions()


@dataclass(frozen=True)
class Continuation:
    """A recording and its continuations (takes), the one nearest to the recording's sound first.

    Attributes:
        sample_rate: rate of all samples in Hz.
        before: (M,) int16, the recording up to the seam, in memory or in a file.
        added: (B, N) int16, the continuations.
        seeds: seed of each take, with which it can be drawn alone.
        nats_per_step: negative log-likelihood of each take; None for a single take.
        distance_db: spectral distance of each take to the recording's end, by which takes are ranked (see
            `pipeline.generation.ranking`). None for a single take or without a context; takes are then in the
            order of their seeds.
        limiter: for each take, for how long and from when the limiter acted (see `LimiterLog.report`).
    """

    sample_rate: int
    before: Sound
    added: Samples
    seeds: list[int]
    nats_per_step: list[float] | None
    distance_db: list[float] | None
    limiter: list[dict[str, float | None]]

    def __repr__(self) -> str:
        """Return the number and length of the takes and the context's length in one line."""
        takes, count = self.added.shape
        length = f"{count / self.sample_rate:.2f} s after {self.seam_s:.2f} s"
        return f"<Continuation of {length} at {self.sample_rate} Hz, takes: {takes}>"

    @property
    def context(self) -> Samples:
        """The recording up to the seam, (M,) int16 in memory."""
        return in_memory(self.before)

    @property
    def seam_s(self) -> float:
        """Start of the continuation in seconds."""
        return len(self.before) / self.sample_rate

    def sound(self, take: int) -> Samples:
        """Return the recording and one continuation, (M + N,) int16."""
        return np.concatenate([self.context, self.added[take]])

    def at_rate(self, original: Sound, sample_rate: int) -> "Continuation":
        """Return the continuations at another sample rate.

        Args:
            original: the recording at that rate, (M',) int16. Its samples up to the seam are not changed.
            sample_rate: in Hz.
        """
        if sample_rate == self.sample_rate:
            return self
        kept = min(len(original), round(len(self.before) * sample_rate / self.sample_rate))
        count = round(self.added.shape[1] * sample_rate / self.sample_rate)
        added = np.zeros((len(self.added), count), np.int16)
        for take in range(len(self.added)):
            amplitudes = map(to_float, blocks_of(self.before, self.added[take]))
            place = -kept
            for converted in resample_blocks(amplitudes, self.sample_rate, sample_rate):
                part = to_int16(converted[max(0, -place) : max(0, count - place)])
                added[take, max(0, place) : max(0, place) + len(part)] = part
                place += len(converted)
        return replace(self, sample_rate=sample_rate, before=original[:kept], added=added)


def crossfade(before: NDArray[np.int16], after: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return a cross-fade from one sound to another, by raised cosines that add up to 1.

    Args:
        before, after: (..., n) int16.

    Example:
        >>> import numpy as np
        >>> crossfade(np.full(4, 100, np.int16), np.zeros(4, np.int16)).tolist()
        [96, 69, 31, 4]
    """
    rise = fade_in(before.shape[-1])
    faded: NDArray[np.int16] = np.rint(before * (1 - rise) + after * rise).astype(np.int16)
    return faded
