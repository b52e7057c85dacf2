"""Negative log-likelihood of a recording, in total and in windows, accumulated over steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RecordingRejected

Figures = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class RecordingScore:
    """Negative log-likelihood of one recording, in total and in S windows; the last may be shorter.

    Attributes:
        seconds: length of the recording.
        nats_per_step: minus the natural log-density of the normalised values, per whole step.
        bits_per_sample: exact code length of an integer sample; None where the model's input has none. It
            includes the bits that name the samples that may occur, if any.
        window_s: length of a window in seconds, a whole number of the model's steps.
        start_s: (S,) start of each window in seconds.
        nats_per_step_series, bits_per_sample_series: (S,) the two figures of each window.
        values: (S,) number of predicted values in each window.
        bits_with_experts: bits per sample with the adaptive experts beside the model, as `compress` codes.
    """

    seconds: float
    nats_per_step: float
    bits_per_sample: float | None
    window_s: float
    start_s: Figures
    nats_per_step_series: Figures
    bits_per_sample_series: Figures | None
    values: Counts
    bits_with_experts: float | None = None

    def __repr__(self) -> str:
        """Return the figures and the lengths in one line."""
        bits = "" if self.bits_per_sample is None else f", {self.bits_per_sample:.3f} bits per sample"
        figures = f"{self.nats_per_step:.3f} nats per step{bits}"
        return f"<RecordingScore of {self.seconds:.2f} s: {figures}, {len(self.start_s)} windows>"

    @property
    def series(self) -> Figures:
        """Figures (S,) that thresholds apply to: bits where the model has them, else nats."""
        bits = self.bits_per_sample_series
        return self.nats_per_step_series if bits is None else bits

    @property
    def figure(self) -> str:
        """Name of the figure in `series`: `bits_per_sample` or `nats_per_step`."""
        return "nats_per_step" if self.bits_per_sample_series is None else "bits_per_sample"


class Overall(NamedTuple):
    """Figures over several recordings, each as in `RecordingScore`."""

    nats_per_step: float
    bits_per_sample: float | None
    bits_with_experts: float | None


def overall(scores: Sequence[RecordingScore]) -> Overall:
    """Return the figures over several recordings; each value counts once."""
    values = [score.values.sum() for score in scores]

    def mean(figures: Sequence[float | None]) -> float | None:
        known = [figure for figure in figures if figure is not None]
        return float(np.average(known, weights=values)) if len(known) == len(scores) else None

    return Overall(
        float(np.average([score.nats_per_step for score in scores], weights=values)),
        mean([score.bits_per_sample for score in scores]),
        mean([score.bits_with_experts for score in scores]),
    )


class StepScores(NamedTuple):
    """Sums over consecutive steps, each (T,): nats, bits, values, and bits with the adaptive experts.

    The bits are None where the model has none.
    """

    nats: Figures
    bits: Figures | None
    values: Counts
    with_experts: Figures | None = None


class Stretches:
    """Accumulator of step scores in windows of ``steps`` steps each.

    Args:
        steps: of a window.
        bits_before: bits of what a code has before the first step, which count for the whole recording alone.
    """

    def __init__(self, steps: int, bits_before: int = 0) -> None:
        self._steps, self._bits_before = steps, bits_before
        self._seen = 0
        self._sums: list[list[float]] = []  # of each window: nats, bits, values
        self._exact = True
        self._with_experts: float | None = 0.0

    def add(self, scores: StepScores) -> None:
        """Add the scores of the next steps."""
        self._exact = self._exact and scores.bits is not None
        if self._with_experts is not None and scores.with_experts is not None:
            self._with_experts += float(scores.with_experts.sum())
        else:
            self._with_experts = None
        bits = np.zeros_like(scores.nats) if scores.bits is None else scores.bits
        stretch = (self._seen + np.arange(len(scores.nats))) // self._steps
        first = int(stretch[0])
        sums = [np.bincount(stretch - first, part) for part in (scores.nats, bits, scores.values)]
        for index, new in enumerate(np.transpose(sums).tolist(), first):
            if index == len(self._sums):
                self._sums.append(new)
            else:
                self._sums[index] = [a + b for a, b in zip(self._sums[index], new, strict=True)]
        self._seen += len(scores.nats)

    def score(self, seconds: float, step_s: float, target_size: int) -> RecordingScore:
        """Return the score of the steps so far.

        Args:
            seconds: length of the recording.
            step_s: length of a step in seconds.
            target_size: values of a step, D.

        Raises:
            RecordingRejected: the sum of a window is not finite.
        """
        nats, bits, values = np.array(self._sums).T
        start_s = np.round(np.arange(len(nats), dtype=np.float64) * self._steps * step_s, 9)
        wrong = np.flatnonzero(~np.isfinite(nats + bits))
        if len(wrong):
            raise RecordingRejected(
                "no-likelihood", f"the model assigns no finite likelihood at {start_s[wrong[0]]:.2f} s"
            )
        return RecordingScore(
            seconds=seconds,
            nats_per_step=float(nats.sum() / values.sum() * target_size),
            bits_per_sample=self._mean_bits(float(bits.sum()), values) if self._exact else None,
            bits_with_experts=None
            if self._with_experts is None
            else self._mean_bits(self._with_experts, values),
            window_s=round(self._steps * step_s, 9),
            start_s=start_s,
            nats_per_step_series=nats / values * target_size,
            bits_per_sample_series=bits / values if self._exact else None,
            values=values.astype(np.int64),
        )

    def _mean_bits(self, bits: float, values: Figures) -> float:
        return (bits + self._bits_before) / float(values.sum())
