"""Negative log-likelihood of one recording over time, computed from blocks of samples in flat memory.

The figures are those of `pipeline.evaluation.nll`, for each window: nats per step of the normalised values,
and exact bits per integer sample. For the whole recording there are also the bits with the adaptive experts
beside the network, as `pipeline.compression` codes.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from pipeline.audio.decode import Samples, open_decoding
from pipeline.audio.pcm import SAMPLE_BITS
from pipeline.coding.layout import Layout, best_layout
from pipeline.coding.occurring import Histogram
from pipeline.errors import RecordingRejected, UserError
from pipeline.scoring.steps import step_scores
from pipeline.scoring.windows import RecordingScore, Stretches

if TYPE_CHECKING:
    from pipeline.model.trained_model import TrainedModel

MEMORY_BYTES = 32 << 20  # of decoded samples; longer recordings are kept in a temporary file
BLOCK_BYTES = 1 << 19
DEFAULT_WINDOW_S = 0.1


def score_samples(
    model: TrainedModel,
    blocks: Iterable[Samples],
    window_s: float = DEFAULT_WINDOW_S,
    layout: Layout | None = None,
) -> RecordingScore:
    """Return the score of a recording, in total and in windows.

    Memory does not grow with the recording, except for the figures of its windows. The bits of the whole
    recording include the set of samples that may occur, where `compress` writes one. Those of the windows do
    not.

    Args:
        model: model of sound.
        blocks: the recording in blocks (n,) of int16 samples, mono, at the model's rate.
        window_s: length of a window in seconds, rounded to a whole number of the model's steps, at least
            one.
        layout: which samples may occur, as `compress` finds it; None for all integers of 16 bits.

    Raises:
        RecordingRejected: there are no samples, or a likelihood is not finite.
        UserError: the model is one of notes, or the window is not positive.
    """
    from pipeline.common.devices import one_thread

    window_steps = _window_steps(model, window_s)
    audio, samples = model.audio, 0

    def counted() -> Iterator[Samples]:
        nonlocal samples
        for block in blocks:
            samples += len(block)
            yield block

    stretches = Stretches(window_steps, 8 * len(layout.packed) if layout else 0)
    with one_thread():
        for steps in step_scores(model, audio.rows_of_blocks(counted()), layout=layout):
            stretches.add(steps)
    if not samples:
        raise RecordingRejected("no-samples", "no samples")
    return stretches.score(samples / audio.sample_rate, model.step_s, model.framing.target_size)


def whole_window_s(model: TrainedModel, window_s: float) -> float:
    """Return the length in seconds of the windows that `score_samples` uses.

    Args:
        model: model of sound.
        window_s: requested length in seconds.

    Raises:
        UserError: the window is not positive.
    """
    return round(_window_steps(model, window_s) * model.step_s, 9)


def _window_steps(model: TrainedModel, window_s: float) -> int:
    if not 0 < window_s < math.inf:
        raise UserError(f"the window must be longer than 0 s, not {window_s:g} s", 2)
    return max(1, round(window_s / model.step_s))


@dataclass(frozen=True)
class Decoded:
    """A decoded recording of ``samples`` samples, of which ``layout`` says which may occur.

    `blocks` may be called repeatedly.
    """

    samples: int
    store: IO[bytes]
    layout: Layout

    def blocks(self) -> Iterator[Samples]:
        """Yield the samples from the start, in blocks (n,) of int16."""
        self.store.seek(0)
        while data := self.store.read(BLOCK_BYTES):
            yield np.frombuffer(data, np.int16)

    @property
    def block_count(self) -> int:
        """Number of blocks."""
        return -(-2 * self.samples // BLOCK_BYTES)


@contextmanager
def decoded(path: Path, sample_rate: int) -> Iterator[Decoded]:
    """Decode a whole recording to mono; a long one is kept in a temporary file.

    Args:
        path: sound file.
        sample_rate: in Hz.

    Raises:
        RecordingRejected: the recording cannot be decoded. This is found before any of it is scored.
    """
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as store:
        histogram = Histogram(SAMPLE_BITS)
        with open_decoding(path) as recording:
            for block in recording.blocks(sample_rate):
                store.write(block.data)
                histogram.add(block)
        yield Decoded(recording.facts.samples, store, best_layout(SAMPLE_BITS, histogram))
