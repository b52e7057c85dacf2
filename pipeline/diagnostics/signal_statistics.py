"""Statistics of a recording's signal: level, clipping, silence, drop-outs, channels.

All are measured in one pass over blocks (n, C) at the file's own rate, in constant memory. Runs of equal
samples are searched in each block; of a run across two blocks, up to four samples are missed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import INT16_STEP
from pipeline.common.runs import true_runs
from pipeline.diagnostics.spectrum import MeanSpectrum

Floats = npt.NDArray[np.floating[Any]]

MOMENT_S = 0.01
SILENCE_DB = -60.0
FLAT_RUN = 3  # equal samples at the extreme: fewer are the tip of a wave
SHORTEST_GAP_S, LONGEST_GAP_S = 0.002, 0.5
STEPS_INTO_CLIPPING = 3.0  # quantisation steps from the sample before to the flat run
EDGE_OF_GAP = 0.25  # of the root mean square beside it: a pause fades out, a drop-out breaks off
COARSE_STEPS = {"PCM_S8": 1 / 128, "PCM_U8": 1 / 128, "ULAW": 1 / 32, "ALAW": 1 / 32}
"""Largest quantisation step of encodings that are coarser than 16 bits; full scale is 1."""


@dataclass(frozen=True)
class SoundFigures:
    """Statistics of a recording's samples; full scale is 1, and per-channel figures are tuples (C,).

    ``clipped`` counts samples in flat runs at the extremes. ``silence`` is the share of moments of 10 ms
    below -60 dB of full scale; ``zeros`` that of frames in runs of at least 2 ms that are exactly zero in all
    channels; ``gaps`` counts drop-outs. ``mix`` is the power of the average of the channels relative to the
    mean power of the channels: 1 where all are equal, 0 where they cancel. ``bandwidth_hz`` and hum: see
    `MeanSpectrum`.
    """

    frames: int
    seconds: float
    peak: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    clipped: int
    clipped_share: float
    silence: float
    zeros: float
    gaps: int
    first_gap_s: float
    identical: bool
    mix: float
    bandwidth_hz: float | None
    hum_hz: float | None
    hum_share: float


class SoundMeter:
    """Accumulator of statistics: `add` receives the blocks of a recording, `figures` returns the results."""

    def __init__(self, sample_rate: int, channels: int, encoding: str) -> None:
        self._rate = sample_rate
        self._step = COARSE_STEPS.get(encoding, INT16_STEP)
        self._rounding = self._step if encoding.startswith("PCM") else INT16_STEP
        self._frames, self._silent, self._moments, self._zeros = 0, 0, 0, 0
        self._sum, self._squares = np.zeros(channels), np.zeros(channels)
        self._mix_squares, self._identical = 0.0, channels > 1
        self._extremes = [_Extreme(self._step) for _ in range(2 * channels)]
        self._gaps = _Gaps(sample_rate)
        self._spectrum = MeanSpectrum(sample_rate)

    def add(self, block: Floats) -> None:
        """Add frames (n, C)."""
        values = block.astype(np.float64)
        self._frames += len(values)
        self._sum += values.sum(0)
        self._squares += np.square(values).sum(0)
        self._mix_squares += float(np.square(values.mean(1)).sum())
        self._identical = self._identical and bool((block == block[:, :1]).all())
        for channel, samples in enumerate(values.T):
            self._extremes[2 * channel].add(samples)
            self._extremes[2 * channel + 1].add(-samples)
        self._count_silence(values)
        zero = np.asarray(~values.any(1))
        starts, ends = true_runs(zero)
        long = ends - starts >= SHORTEST_GAP_S * self._rate
        self._zeros += int((ends - starts)[long].sum())
        self._gaps.add(np.abs(values).max(1), zero)
        self._spectrum.add(values)

    def _count_silence(self, values: Floats) -> None:
        length = max(1, round(MOMENT_S * self._rate))
        whole = values[: len(values) // length * length] if len(values) >= length else values
        moments = whole.reshape(-1, min(length, len(values)), values.shape[1])
        power = np.square(moments - moments.mean(1, keepdims=True)).mean(1).max(1)
        self._silent += int((power < 10 ** (SILENCE_DB / 10)).sum())
        self._moments += len(power)

    def figures(self) -> SoundFigures:
        """Return the statistics; at least one block must have been added."""
        mean = self._sum / self._frames
        std = np.sqrt(np.maximum(self._squares / self._frames - mean**2, 0))
        power = float(self._squares.mean())
        peaks = [max(0.0, extreme.value) for extreme in self._extremes]
        clipped = sum(extreme.clipped for extreme in self._extremes)
        gaps, first_gap_s = self._gaps.found()
        hum_hz, hum_share = self._spectrum.hum()
        return SoundFigures(
            frames=self._frames,
            seconds=self._frames / self._rate,
            peak=tuple(map(max, zip(peaks[::2], peaks[1::2], strict=True))),
            mean=tuple(mean.tolist()),
            std=tuple(std.tolist()),
            clipped=clipped,
            clipped_share=clipped / (self._frames * len(mean)),
            silence=self._silent / self._moments,
            zeros=self._zeros / self._frames,
            gaps=gaps,
            first_gap_s=first_gap_s,
            identical=self._identical,
            mix=self._mix_squares / power if power else 1.0,
            bandwidth_hz=self._spectrum.bandwidth_hz(self._rounding),
            hum_hz=hum_hz,
            hum_share=hum_share,
        )


class _Extreme:
    """The largest value so far, and the number of its samples in flat runs with a steep edge.

    The peak of a slow wave may be flat, too, within a quantisation step. A clipped wave has a slope at the
    edge of its plateau.
    """

    def __init__(self, step: float) -> None:
        self._smallest_entry = STEPS_INTO_CLIPPING * step
        self.value, self.clipped = -np.inf, 0

    def add(self, samples: Floats) -> None:
        largest = float(samples.max())
        if largest > self.value:
            self.value, self.clipped = largest, 0
        if largest < self.value or largest <= 0:
            return
        starts, ends = true_runs(samples == largest)
        long = ends - starts >= FLAT_RUN
        starts, ends = starts[long], ends[long]
        before = largest - samples[np.maximum(starts - 1, 0)]
        after = largest - samples[np.minimum(ends, len(samples) - 1)]
        steep = np.maximum(before, after) > self._smallest_entry
        self.clipped += int((ends - starts)[steep].sum())


class _Gaps:
    """Counter of drop-outs: short runs of zeros with abrupt edges inside a signal."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._beside = max(4, round(MOMENT_S * sample_rate))
        self._held_level: Floats = np.zeros(0)
        self._held_zero: npt.NDArray[np.bool_] = np.zeros(0, bool)
        self._position = 0  # of the first held frame
        self._done = 0  # runs that end here or before were counted
        self._count, self._first = 0, 0

    def add(self, level: Floats, zero: npt.NDArray[np.bool_]) -> None:
        """Add the largest magnitude of all channels (n,), and whether it is zero (n,)."""
        level, zero = np.append(self._held_level, level), np.append(self._held_zero, zero)
        for start, end in zip(*true_runs(zero), strict=True):
            if start and end < len(zero) and self._position + end > self._done:
                self._done = self._position + int(end)
                self._note(level, int(start), int(end))
        open_run = len(zero) - (np.flatnonzero(~zero)[-1] + 1 if not zero.all() else 0)
        longest = round(LONGEST_GAP_S * self._rate)
        kept = min(len(zero), self._beside + (open_run if open_run <= longest else 0))
        self._position += len(zero) - kept
        self._held_level, self._held_zero = level[len(level) - kept :].copy(), zero[len(zero) - kept :].copy()

    def _note(self, level: Floats, start: int, end: int) -> None:
        if not SHORTEST_GAP_S <= (end - start) / self._rate <= LONGEST_GAP_S:
            return
        before, after = level[max(0, start - self._beside) : start], level[end : end + self._beside]
        edges = ((before[-1], before), (after[0], after))
        if any(_breaks_off(float(edge), beside) for edge, beside in edges):
            self._first = self._first if self._count else self._position + start
            self._count += 1

    def found(self) -> tuple[int, float]:
        """Return the number of drop-outs, and the time of the first in seconds."""
        return self._count, self._first / self._rate


def _breaks_off(edge: float, beside: Floats) -> bool:
    return edge > 8 * INT16_STEP and edge > EDGE_OF_GAP * float(np.sqrt(np.square(beside).mean()))
