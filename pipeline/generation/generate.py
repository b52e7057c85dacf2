"""Continuing recordings, and sound from nothing: what was heard warms the state, then the model hears itself.

Each step's outputs are drawn, rounded to what a sample can be, and fed back: the model hears exactly what
the listener will.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.decode import Samples, to_int16
from pipeline.common.progress import progress_bar
from pipeline.config.inputs import SpectrogramConfig
from pipeline.features.representations import analysis, row_dtype, rows_of_blocks
from pipeline.generation.engine import free_run
from pipeline.generation.free_running import FreeRun, Rows
from pipeline.generation.options import Sampling
from pipeline.generation.ranking import spectral_distance_db, take_nats
from pipeline.model.trained_model import TrainedModel

SEAM_FRAMES = 8
"""Frames before the seam that take part in the inversion of a spectrogram, so that its phase runs through."""

ONE_TAKE = Sampling()


@dataclass(frozen=True)
class Takes:
    """Continuations of one recording.

    Attributes:
        samples: (B, N) int16 at the model's sample rate.
        guard: of each, how long and from when on a runaway was held back (see `GuardLog.report`).
        nats_per_step: (B,) how likely the model finds each at temperature 1; None where not asked for.
        distance_db: (B,) spectral distance of each to the end of what was heard, by which they are ranked;
            None where not asked for or nothing was heard.
    """

    samples: Samples
    guard: list[dict[str, float | None]]
    nats_per_step: NDArray[np.float64] | None
    distance_db: NDArray[np.float64] | None


def continue_rows(model: TrainedModel, rows: Rows, count: int, sampling: Sampling = ONE_TAKE) -> Rows:
    """The ``count`` rows (B, count, width) that follow ``rows`` (N, width), both as stored."""
    return _run(_after(model, rows, sampling), count)


def continue_takes(
    model: TrainedModel,
    samples: Samples,
    count: int,
    sampling: Sampling = ONE_TAKE,
    ranked: bool = False,
) -> Takes:
    """Continue a recording, or begin from nothing where it is empty.

    Args:
        model: of sound; the continuation of a spectrogram is made audible by Griffin-Lim.
        samples: (N,) int16, mono, at the model's sample rate.
        count: how many samples to add.
        sampling: how many takes, and how they are drawn. The same seed gives the same take on one device.
        ranked: whether to find, too, how likely the model finds each and how near it is to the recording.
    """
    config = model.audio
    rows = heard_rows(model, samples)
    if not isinstance(config, SpectrogramConfig):
        run = _after(model, rows, sampling)
        found = _run(run, count)
        sounds = found[:, :, 0]
    else:
        # A frame that reaches past the end has heard silence there: it is predicted, too, and so is what
        # lies between its centre and the end.
        rows = rows[: max(0, 1 + (len(samples) - config.window_length // 2) // config.hop_length)]
        late = len(samples) - len(rows) * config.hop_length
        run = _after(model, rows, sampling)
        found = _run(run, -(-(late + count) // config.hop_length))
        audible = [frames_to_samples(config, rows, frames, sampling.seed) for frames in found]
        sounds = np.stack([sound[late : late + count] for sound in audible])
    nats = take_nats(model, rows, found) if ranked else None
    near = ranked and len(samples) > 0
    distance = spectral_distance_db(samples, sounds, config.sample_rate) if near else None
    guard = [run.guard.report(take, model.step_s) for take in range(sampling.takes)]
    return Takes(sounds, guard, nats, distance)


def stream_samples(model: TrainedModel, sampling: Sampling) -> Iterator[Samples]:
    """Endless sound from nothing, in blocks (n,) of about a fifth of a second; of waveform models alone."""
    run = free_run(model, heard_rows(model, np.zeros(0, np.int16)), sampling)
    while True:
        for portion in run.rows(model.framing.hop * 256):
            yield portion[0, :, 0]


def heard_rows(model: TrainedModel, samples: Samples) -> Rows:
    """The rows (N, width) that the model's data set would store for these int16 samples."""
    return np.concatenate(list(rows_of_blocks(model.audio, [samples])))


def frames_to_samples(config: SpectrogramConfig, heard: Rows, predicted: Rows, seed: int) -> Samples:
    """Sound (M,) int16 for predicted frames (T, D) that follow heard ones, M >= T * hop_length."""
    import torch

    before = heard[-SEAM_FRAMES:]
    frames = np.concatenate([before, predicted, predicted[-1:]]).astype(np.float32)
    sound = analysis(config).invert(torch.from_numpy(frames), seed=seed)
    return to_int16(sound[len(before) * config.hop_length :].numpy())


def _after(model: TrainedModel, rows: Rows, sampling: Sampling) -> FreeRun:
    """The model after it has heard ``rows``; the first time on a machine that compiles, for some seconds."""
    with progress_bar("") as bar:
        bar.add_task("hear", total=None, note="")
        return free_run(model, rows, sampling)


def _run(run: FreeRun, count: int) -> Rows:
    """The next ``count`` rows (B, count, width), with a progress bar."""
    frames = run.model.framing
    portions = []
    with progress_bar("steps") as bar:
        task = bar.add_task("generate", total=frames.steps(count), note="")
        for portion in run.rows(count):
            portions.append(portion)
            bar.advance(task, portion.shape[1] // frames.hop)
    if not portions:
        return np.empty((run.sampling.takes, 0, frames.width), row_dtype(run.model.input))
    return np.concatenate(portions, axis=1)[:, :count]
