"""Continuation of recordings, and generation without one, by free running.

The recording conditions the state. Then each step's values are drawn, rounded to integer samples, and are the
input of the next step. The model is therefore conditioned on exactly the samples that are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import Samples
from pipeline.audio.spooled import Sound, in_memory
from pipeline.errors import RecordingRejected, UserError
from pipeline.generation.context import ContextRows, Rows
from pipeline.generation.continuation import END_TO_END, Continuation, JoinOptions, crossfade
from pipeline.generation.engine import ONE_TAKE, free_run
from pipeline.generation.options import SamplingOptions
from pipeline.generation.ranking import CONTEXT_S, continuation_nll, spectral_distance_db
from pipeline.model.trained_model import TrainedModel


def continue_samples(
    model: TrainedModel,
    samples: Sound,
    seconds: float,
    sampling: SamplingOptions = ONE_TAKE,
    join: JoinOptions = END_TO_END,
) -> Continuation:
    """Continue a recording; where it is empty, generate sound without one.

    Args:
        model: model of sound; a predicted spectrogram is inverted by Griffin-Lim.
        samples: (N,) int16, mono, at the model's sample rate, in memory or in a file.
        seconds: length of the continuation.
        sampling: number of takes and options of the draws. A seed gives the same take again on one device.
        join: how recording and continuation are joined.

    Returns:
        The takes. Of several, the one nearest to the recording's sound is first.

    Raises:
        UserError: ``seconds`` is less than one sample.
        RecordingRejected: the recording is shorter than its trimmed end and cross-fade.
    """
    rate = model.audio.sample_rate
    count = round(seconds * rate)
    if count < 1:
        raise UserError(f"seconds={seconds:g}: give more than 0", 2)
    before, tail, context = _parts(samples, rate, join)
    takes = _takes(model, context, len(tail) + count, sampling)
    nats, distance_db = takes.nats_per_step, takes.distance_db
    order = [
        int(take) for take in (range(sampling.takes) if distance_db is None else np.argsort(distance_db))
    ]
    overlaps = np.broadcast_to(in_memory(tail), (sampling.takes, len(tail)))
    faded = crossfade(overlaps, takes.samples[:, : len(tail)])
    # The fade is a part of each take, since it differs between takes.
    added = np.concatenate([faded, takes.samples[:, len(tail) :]], axis=1)[order]
    return Continuation(
        sample_rate=rate,
        before=before,
        added=added,
        seeds=[sampling.seed + take for take in order],
        nats_per_step=None if nats is None else [float(nats[take]) for take in order],
        distance_db=None if distance_db is None else [float(distance_db[take]) for take in order],
        limiter=[takes.limiter[take] for take in order],
    )


def _parts(samples: Sound, rate: int, join: JoinOptions) -> tuple[Sound, Sound, Sound]:
    """Return a recording's part before the fade, the part that fades, and the model's context."""
    trimmed, overlap = round(join.trim_end_s * rate), round(join.crossfade_s * rate)
    kept = samples[: len(samples) - trimmed] if join.trim_end_s else samples
    if len(samples) and (join.trim_end_s * rate >= len(samples) or overlap > len(kept)):
        raise RecordingRejected(
            "too-short",
            f"a recording of {len(samples) / rate:.2f} s is too short for a trimmed end of "
            f"{join.trim_end_s:g} s and a cross-fade of {join.crossfade_s:g} s",
        )
    seam = len(kept) - min(overlap, len(kept))
    first = 0 if join.context_s is None else max(0, seam - max(1, round(join.context_s * rate)))
    return kept[:seam], kept[seam:], kept[first:seam]


@dataclass(frozen=True)
class _Takes:
    """Continuations of a recording, in the order of their seeds.

    Attributes:
        samples: (B, N) int16 at the model's sample rate.
        limiter: for each take, for how long and from when the limiter acted (see `LimiterLog.report`).
        nats_per_step: (B,) negative log-likelihood of each take at temperature 1; None for a single take.
        distance_db: (B,) spectral distance of each take to the end of the context, by which takes are
            ranked; None for a single take or without a context.
    """

    samples: Samples
    limiter: list[dict[str, float | None]]
    nats_per_step: NDArray[np.float64] | None
    distance_db: NDArray[np.float64] | None


def _takes(model: TrainedModel, samples: Sound, count: int, sampling: SamplingOptions) -> _Takes:
    """Return ``count`` samples that follow ``samples`` (N,), for each seed in order."""
    audio = model.audio
    # A row that reaches past the end contains silence from there: it is predicted, too, and so is what lies
    # between its own time and the end.
    rows = ContextRows.of_sound(audio, samples)
    late = len(samples) - len(rows) * audio.samples_per_row
    run = free_run(model, rows, sampling)
    found = run.take(-(-(late + count) // audio.samples_per_row))
    seam = rows.last(audio.seam_rows)
    audible = [audio.samples_after(seam, added, sampling.seed) for added in found]
    sounds = np.stack([sound[late : late + count] for sound in audible])
    # The likelihood takes torch, which a single take does without.
    nats = continuation_nll(model, rows, found) if sampling.takes > 1 else None
    end = in_memory(samples[-round(CONTEXT_S * audio.sample_rate) :])
    distance = spectral_distance_db(end, sounds, audio.sample_rate) if len(samples) else None
    limiter = [run.limiter.report(take, model.step_s) for take in range(sampling.takes)]
    return _Takes(sounds, limiter, nats, distance)


def stream_samples(model: TrainedModel, sampling: SamplingOptions) -> Iterator[Samples]:
    """Yield endless sound without a recording, in blocks (n,) of int16.

    Args:
        model: model of waveforms.
        sampling: seed and options of the draws; the first take is streamed.
    """
    run = free_run(model, encode_context(model, np.zeros(0, np.int16)), sampling)
    while True:
        for portion in run.rows(model.framing.hop * 256):
            yield portion[0, :, 0]


def encode_context(model: TrainedModel, samples: Samples) -> Rows:
    """Return the rows (N, width) that the model's data set would store for int16 samples (M,)."""
    return np.concatenate(list(model.audio.rows_of_blocks([samples])))
