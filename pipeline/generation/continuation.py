"""A recording and its continuations: where they meet, which is likeliest, at which rate they are heard."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.decode import Samples, to_int16
from pipeline.errors import RecordingRejected, UserError
from pipeline.generation.generate import continue_takes
from pipeline.generation.options import Sampling
from pipeline.model.trained_model import TrainedModel


@dataclass(frozen=True)
class Joint:
    """How a recording and its continuation are joined.

    Attributes:
        cut_s: how much of the recording's end is left out first.
        context_s: how much of what is left the model hears; all where None.
        crossfade_s: how long the recording's end fades into the continuation, which begins so much earlier.
    """

    cut_s: float = 0.0
    context_s: float | None = None
    crossfade_s: float = 0.0

    def __post_init__(self) -> None:
        """Raises `UserError` for what cannot be."""
        context_s = 1.0 if self.context_s is None else self.context_s
        if not (self.cut_s >= 0 and context_s > 0 and self.crossfade_s >= 0):
            raise UserError("cut and cross-fade must not be negative, context must be positive", 2)


END_TO_END = Joint()


@dataclass(frozen=True)
class Continuation:
    """A recording and its continuations, the likeliest first.

    Attributes:
        sample_rate: of all samples, in Hz.
        heard: (M,) int16, the recording as far as it is kept.
        added: (B, N) int16, what follows.
        seeds: of each take, with which it can be drawn again by itself.
        nats_per_step: of each, by which they are ranked; None for a single one.
        guard: of each, how long and from when on a runaway was held back.
    """

    sample_rate: int
    heard: Samples
    added: Samples
    seeds: list[int]
    nats_per_step: list[float] | None
    guard: list[dict[str, float | None]]

    def __repr__(self) -> str:
        """Name the takes, their length, and what they follow, in one line."""
        takes, count = self.added.shape
        length = f"{count / self.sample_rate:.2f} s after {self.seam_s:.2f} s"
        return f"<Continuation of {length} at {self.sample_rate} Hz, takes: {takes}>"

    @property
    def seam_s(self) -> float:
        """When the continuation begins, in seconds."""
        return len(self.heard) / self.sample_rate

    def sound(self, take: int) -> Samples:
        """The recording and one continuation, (M + N,) int16."""
        return np.concatenate([self.heard, self.added[take]])

    def at_rate(self, original: Samples, sample_rate: int) -> "Continuation":
        """The same after ``original`` (M',) int16 at another rate, which stays as it is up to the seam."""
        import soxr

        kept = min(len(original), round(len(self.heard) * sample_rate / self.sample_rate))
        count = round(self.added.shape[1] * sample_rate / self.sample_rate)
        added = np.zeros((len(self.added), count), np.int16)
        for take in range(len(self.added)):
            sound = self.sound(take).astype(np.float32) / 32_768
            converted = to_int16(soxr.resample(sound, self.sample_rate, sample_rate))[kept : kept + count]
            added[take, : len(converted)] = converted
        return replace(self, sample_rate=sample_rate, heard=original[:kept], added=added)


def continue_recording(
    model: TrainedModel,
    samples: Samples,
    seconds: float,
    sampling: Sampling,
    joint: Joint = Joint(),
) -> Continuation:
    """Continue samples (N,) int16 at the model's rate by ``seconds``; nothing is heard where N is 0.

    Raises `UserError` where nothing is to be added, `RecordingRejected` where the cut leaves nothing of it.
    """
    rate = model.audio.sample_rate
    count, overlap = round(seconds * rate), round(joint.crossfade_s * rate)
    if count < 1:
        raise UserError(f"seconds={seconds:g}: give more than 0", 2)
    kept = samples[: len(samples) - round(joint.cut_s * rate)] if joint.cut_s else samples
    if len(samples) and (joint.cut_s * rate >= len(samples) or overlap > len(kept)):
        raise RecordingRejected(
            "too-short",
            f"a recording of {len(samples) / rate:.2f} s is too short for a cut of {joint.cut_s:g} s and a "
            f"cross-fade of {joint.crossfade_s:g} s",
        )
    overlap = min(overlap, len(kept))
    heard = kept[: len(kept) - overlap]
    if joint.context_s is not None:
        heard = heard[-max(1, round(joint.context_s * rate)) :]
    takes = continue_takes(model, heard, overlap + count, sampling, ranked=sampling.takes > 1)
    order = np.arange(sampling.takes) if takes.nats_per_step is None else np.argsort(takes.nats_per_step)
    nats = None if takes.nats_per_step is None else [float(takes.nats_per_step[i]) for i in order]
    tail = kept[len(kept) - overlap :]
    faded = crossfade(np.broadcast_to(tail, (sampling.takes, overlap)), takes.samples[:, :overlap])
    # The recording stays as it is where takes differ from each other: the fade belongs to the takes.
    added = np.concatenate([faded, takes.samples[:, overlap:]], axis=1)[order]
    return Continuation(
        sample_rate=rate,
        heard=kept[: len(kept) - overlap],
        added=added,
        seeds=[sampling.seed + int(i) for i in order],
        nats_per_step=nats,
        guard=[takes.guard[i] for i in order],
    )


def crossfade(before: NDArray[np.int16], after: NDArray[np.int16]) -> NDArray[np.int16]:
    """One sound that fades into another, both (..., n) int16: raised cosines that add up to 1."""
    count = before.shape[-1]
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / max(count, 1))
    faded: NDArray[np.int16] = np.rint(before * (1 - rise) + after * rise).astype(np.int16)
    return faded
