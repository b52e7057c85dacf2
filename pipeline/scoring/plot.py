"""Plot of a recording's score: spectrogram above, negative log-likelihood below, on one time axis."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.audio.decode import Samples
from pipeline.common.progress import shown
from pipeline.features.spectrogram import Spectrogram
from pipeline.plots.figure import COLOURS, WIDTH_PX, new_figure, plain_text, write_figure
from pipeline.plots.runs import DYNAMIC_RANGE_DB, MOST_COLUMNS, QUIET_DB
from pipeline.scoring.recordings import decoded, score_samples
from pipeline.scoring.thresholds import Threshold
from pipeline.scoring.windows import Figures, RecordingScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pipeline.model.trained_model import TrainedModel

LINE_COLOUR, ABOVE_COLOUR, FAINT_ALPHA = COLOURS[0], COLOURS[1], 0.3
LABELS = {"bits_per_sample": "NLL (bits per sample)", "nats_per_step": "NLL (nats per step)"}


def score_with_picture(
    model: TrainedModel,
    path: Path,
    window_s: float,
    picture: Path | None = None,
    threshold: Threshold | None = None,
) -> RecordingScore:
    """Score a sound file, and plot the score if a picture is named. The file is decoded once.

    Args:
        model: model of sound.
        path: sound file.
        window_s: length of a scoring window in seconds.
        picture: PNG file to write; None for no picture.
        threshold: threshold to show in the picture.

    Returns:
        The score.

    Raises:
        RecordingRejected: the recording cannot be decoded or scored.
    """
    with decoded(path, model.audio.sample_rate) as recording:
        count = recording.block_count
        blocks = shown(recording.blocks(), count, "score", visible=count > 1)
        score = score_samples(model, blocks, window_s, recording.layout)
        if picture is not None:
            rate = model.audio.sample_rate
            surprisal_picture(picture, recording.blocks(), rate, score, path.name, threshold)
    return score


def surprisal_picture(
    path: Path,
    blocks: Iterable[Samples],
    sample_rate: int,
    score: RecordingScore,
    title: str,
    threshold: Threshold | None = None,
) -> None:
    """Plot the spectrogram of a recording and its negative log-likelihood over time.

    Of a long recording, a column of the spectrogram is the mean power of several frames. The lower curve is
    then the mean of several windows, drawn with their range.

    Args:
        path: PNG file to write.
        blocks: the recording in blocks (n,) of int16 samples.
        sample_rate: in Hz.
        score: the recording's score.
        title: title of the picture.
        threshold: threshold to draw; windows above it are marked.
    """
    figure = new_figure(height_px=680)
    spectrum, nll = figure.subplots(2, 1, sharex=True, height_ratios=[1.2, 1])
    levels_db = _levels_db(blocks, sample_rate, score.seconds)
    loudest_db = max(float(levels_db.max()), QUIET_DB)
    image = spectrum.imshow(
        levels_db,
        origin="lower",
        aspect="auto",
        cmap="magma",
        interpolation="nearest",
        extent=(0, score.seconds, 0, sample_rate / 2000),
        vmin=loudest_db - DYNAMIC_RANGE_DB,
        vmax=loudest_db,
    )
    figure.colorbar(image, ax=[spectrum, nll], label="level (dB of full scale)", pad=0.01, aspect=40)
    spectrum.set(title=plain_text(title), ylabel="frequency (kHz)")
    high, edges_s = _draw_nll(nll, score)
    nll.set(xlabel="time (s)", ylabel=LABELS[score.figure], xlim=(0, score.seconds))
    nll.grid(alpha=0.25, linewidth=0.6)
    if threshold is not None:
        _draw_threshold(nll, high, edges_s, threshold.value)
    write_figure(figure, path)


def _levels_db(blocks: Iterable[Samples], sample_rate: int, seconds: float) -> Figures:
    """Return the levels (bins, columns) of equal stretches of time, in dB of a full-scale sine."""
    window = 2 ** round(np.log2(max(16, 0.03 * sample_rate)))
    analysis = Spectrogram(sample_rate, window, window // 4, window)
    frames = analysis.frame_count(round(seconds * sample_rate))
    each = -(-frames // MOST_COLUMNS)
    power, done = np.zeros((-(-frames // each), analysis.dimension)), 0
    for part in analysis.stream(blocks):
        np.add.at(power, (done + np.arange(len(part))) // each, np.exp(2 * part))
        done += len(part)
    counts = np.bincount(np.arange(frames) // each)
    levels_db: Figures = 10 * np.log10(power.T / counts / (window / 4) ** 2)
    return levels_db


def _draw_nll(axes: Axes, score: RecordingScore) -> tuple[Figures, Figures]:
    """Draw a step for each window, or the mean and range of several where the picture is too narrow.

    Returns the highest value of each step (C,) and the edges in seconds (C + 1,).
    """
    together = -(-len(score.series) // (WIDTH_PX // 2))
    starts = np.arange(0, len(score.series), together)
    edges_s = np.append(score.start_s[starts], score.seconds)
    low, high = np.minimum.reduceat(score.series, starts), np.maximum.reduceat(score.series, starts)
    if together > 1:
        axes.stairs(high, edges_s, baseline=low, fill=True, color=LINE_COLOUR, alpha=FAINT_ALPHA)
    sums = np.add.reduceat(score.series * score.values, starts)
    mean = sums / np.add.reduceat(score.values, starts)
    axes.stairs(mean, edges_s, baseline=None, color=LINE_COLOUR, linewidth=1.3)
    return high, edges_s


def _draw_threshold(axes: Axes, high: Figures, edges_s: Figures, value: float) -> None:
    """Draw the threshold as a line, and mark windows above it over the whole height."""
    axes.axhline(value, color=ABOVE_COLOUR, linewidth=1.2, linestyle="--")
    changes = np.flatnonzero(np.diff(np.concatenate([[0], (high > value).view(np.int8), [0]])))
    for first, end in changes.reshape(-1, 2):
        begin_s, end_s = edges_s[first], edges_s[end]
        axes.axvspan(begin_s, end_s, color=ABOVE_COLOUR, alpha=FAINT_ALPHA, linewidth=0, zorder=0)
    axes.set_title(f"dashed: threshold {value:.2f}", loc="right", fontsize="small", color=ABOVE_COLOUR)
