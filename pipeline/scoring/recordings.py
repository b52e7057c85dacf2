"""Negative log-likelihood of one recording over time, computed from blocks of samples in flat memory.

The figures are those of `pipeline.evaluation.nll`, for each window: nats per step of the normalised values,
and exact bits per integer sample. The network runs over chunks with its state carried. The division into
blocks or chunks therefore changes the last digits only.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.decode import Samples, open_decoding
from pipeline.errors import RecordingRejected, UserError
from pipeline.scoring.windows import RecordingScore, StepScores, Stretches

if TYPE_CHECKING:
    import torch

    from models.distributions.distribution import Distribution
    from pipeline.features.framing import Framing
    from pipeline.features.normaliser import Normaliser
    from pipeline.model.trained_model import TrainedModel

CHUNK_STEPS = 1000
MEMORY_BYTES = 32 << 20  # of decoded samples; longer recordings are kept in a temporary file
BLOCK_BYTES = 1 << 19
DEFAULT_WINDOW_S = 0.1

Rows = NDArray[Any]


def score_samples(
    model: TrainedModel, blocks: Iterable[Samples], window_s: float = DEFAULT_WINDOW_S
) -> RecordingScore:
    """Return the score of a recording, in total and in windows.

    Memory does not grow with the recording, except for the figures of its windows.

    Args:
        model: model of sound.
        blocks: the recording in blocks (n,) of int16 samples, mono, at the model's rate.
        window_s: length of a window in seconds, rounded to a whole number of the model's steps, at least
            one.

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

    stretches = Stretches(window_steps)
    with one_thread():
        for steps in step_scores(model, audio.rows_of_blocks(counted())):
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


def step_scores(
    model: TrainedModel, rows: Iterable[Rows], chunk_steps: int = CHUNK_STEPS
) -> Iterator[StepScores]:
    """Yield the scores of consecutive steps.

    Args:
        model: any trained model.
        rows: stored rows (n, width), in blocks of any length.
        chunk_steps: steps that are computed at a time.
    """
    forward, normaliser = _forward(model), model.normaliser()
    for stretch, exists in _chunks(rows, model.framing, chunk_steps):
        yield _chunk_scores(forward, model.framing, normaliser, stretch, exists)


def _chunk_scores(
    forward: Callable[[torch.Tensor], Distribution],
    framing: Framing,
    normaliser: Normaliser,
    stretch: Rows,
    exists: NDArray[np.bool_],
) -> StepScores:
    import torch

    from pipeline.evaluation.nll import code_length_bits

    device = normaliser.mean.device
    with torch.inference_mode():
        stored = torch.from_numpy(stretch)[None].to(device)
        there = torch.from_numpy(exists)[None].to(device)
        normalised = normaliser.normalise(stored).masked_fill(~there[:, :, None], 0.0)
        inputs, targets, every = framing.split(normalised, there)
        mask = None if bool(every.all()) else every
        distribution = forward(inputs)
        nats = -distribution.log_prob(targets, mask).double()
        bits = None
        if normaliser.quantised:
            integers = stored[:, framing.window :].reshape(targets.shape)
            bits = code_length_bits(distribution, targets, integers, mask, normaliser)[0].cpu().numpy()
        return StepScores(nats[0].cpu().numpy(), bits, every[0].sum(-1).cpu().numpy())


def _forward(model: TrainedModel) -> Callable[[torch.Tensor], Distribution]:
    """Return a function of inputs (1, T, D_in) that carries the state: distributions of batch shape (1, T).

    The recurrence is compiled where possible: in torch, half of the time is overhead between steps.
    """
    import torch

    network, compiled = model.network, model.compiled
    state: Any = network.initial_state(1) if compiled is None else compiled.initial_state(1)

    def forward(inputs: torch.Tensor) -> Distribution:
        nonlocal state
        made: Distribution
        if compiled is None:
            made, state = network(inputs, state)
            return made
        hidden, state = compiled.hidden(inputs.cpu().numpy(), state)
        made = network.head(torch.from_numpy(hidden).to(inputs.device), inputs)
        return made

    return forward


def _chunks(
    rows: Iterable[Rows], framing: Framing, chunk_steps: int
) -> Iterator[tuple[Rows, NDArray[np.bool_]]]:
    """Yield stretches (window + T * hop, width) of rows, as `Framing.gather` cuts them, and which rows exist.

    T is ``chunk_steps``, less at the end. Memory holds one chunk and one block at most.
    """
    span, position = chunk_steps * framing.hop, -framing.window
    held: list[Rows] = []
    waiting = 0
    for block in rows:
        held = held or [np.zeros((framing.window, framing.width), block.dtype)]
        held.append(block)
        waiting += len(block)
        if waiting < span:
            continue
        joined = np.concatenate(held)
        while waiting >= span:
            stretch = joined[: framing.window + span]
            yield stretch, np.arange(position, position + len(stretch)) >= 0
            joined, waiting, position = joined[span:], waiting - span, position + span
        held = [joined.copy()]
    if waiting:
        missing = framing.steps(waiting) * framing.hop - waiting
        stretch = np.pad(np.concatenate(held), ((0, missing), (0, 0)))
        exists = np.arange(position, position + len(stretch)) >= 0
        exists[len(exists) - missing :] = False
        yield stretch, exists


@dataclass(frozen=True)
class Decoded:
    """A decoded recording of ``samples`` samples; `blocks` may be called repeatedly."""

    samples: int
    store: IO[bytes]

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
        with open_decoding(path) as recording:
            for block in recording.blocks(sample_rate):
                store.write(block.data)
        yield Decoded(recording.facts.samples, store)
