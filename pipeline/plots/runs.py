"""Plots of learning curves, recordings, spectrograms and comparisons."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.pcm import to_float
from pipeline.common.text import time_unit
from pipeline.plots.figure import COLOURS, WIDTH_PX, mark_seam, new_figure, plain_text, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SOUND_COLOUR = "#4D4D4D"
FAINT_COLOUR = "#C9D3DA"
OWN_COLOUR = "#7FB2D6"
MOST_COLUMNS = 1500  # of a spectrogram: more than the picture has pixels
DYNAMIC_RANGE_DB = 80
QUIET_DB = -60  # a recording below this is shown as dark as it is


@dataclass(frozen=True)
class Curve:
    """The losses of one model on training and validation data.

    Each of the two has its updates (``steps``), its losses and the seconds since the start of the training.
    """

    steps: Sequence[float]
    train: Sequence[float]
    elapsed_s: Sequence[float]
    valid_steps: Sequence[float] = field(default=())
    valid: Sequence[float] = field(default=())
    valid_elapsed_s: Sequence[float] = field(default=())


def learning_curve(path: Path, curves: Mapping[str, Curve], unit: str, logarithmic_x: bool = False) -> None:
    """Draw the losses of each model against updates and against wall-clock time.

    Training losses are the thin lines, validation losses the thick ones. The axis of losses is logarithmic
    where all are positive.

    Args:
        path: the PNG file to be written.
        curves: losses by name of the model.
        unit: unit of the losses.
        logarithmic_x: draw updates and time on logarithmic axes.
    """
    longest_s = max(max([*curve.elapsed_s, *curve.valid_elapsed_s], default=0.0) for curve in curves.values())
    unit_s, name_of_unit = time_unit(longest_s)
    figure = new_figure(height_px=520)
    by_step, by_time = figure.subplots(1, 2, sharey=True)
    for (name, curve), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        for axes, x, valid_x in (
            (by_step, curve.steps, curve.valid_steps),
            (by_time, np.divide(curve.elapsed_s, unit_s), np.divide(curve.valid_elapsed_s, unit_s)),
        ):
            lone = "." if len(curve.train) == 1 else ""
            axes.plot(x, curve.train, color=colour, linewidth=0.9, alpha=0.5, marker=lone)
            style = {"linewidth": 2.2, "marker": "o", "markersize": 4}
            axes.plot(valid_x, curve.valid, color=colour, label=plain_text(name), **style)
    losses = np.concatenate([[*curve.train, *curve.valid] for curve in curves.values()])
    losses = losses[np.isfinite(losses)]
    if len(losses) and losses.min() > 0:
        _logarithmic(by_step, "y", losses.max() / losses.min())
    by_step.set(xlabel="updates", ylabel=plain_text(unit))
    by_time.set(xlabel=f"wall-clock time ({name_of_unit})")
    for axes in (by_step, by_time):
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.margins(x=0.02)
        if logarithmic_x:
            low, high = axes.get_xlim()
            _logarithmic(axes, "x", high / low if low > 0 else 10.0)
    figure.legend(
        *by_time.get_legend_handles_labels(),
        frameon=False,
        title="thick: validation, thin: training",
        loc="outside right center",
        alignment="left",
    )
    write_figure(figure, path)


def plot_recording(
    path: Path,
    samples: NDArray[np.int16] | NDArray[np.floating[Any]],
    sample_rate: int,
    seam_s: float | None,
    title: str,
    width_px: int = WIDTH_PX,
) -> None:
    """Draw waveform and spectrogram of a recording.

    The spectrogram of a long recording shows short windows far apart, not every moment of it.

    Args:
        path: the PNG file to be written.
        samples: (N,), int16 or floats of full scale 1.
        sample_rate: in Hz.
        seam_s: time in seconds at which the continuation begins, marked by a line; None without one.
        title: text above the plot.
        width_px: width of the picture in pixels.
    """
    import librosa

    sound = to_float(samples) if samples.dtype == np.int16 else samples.astype(np.float32)
    figure = new_figure(680, width_px)
    wave, spectrum = figure.subplots(2, 1, sharex=True, height_ratios=[1, 2])
    _envelope(wave, sound, sample_rate)
    window = 2 ** round(np.log2(max(16, 0.03 * sample_rate)))
    hop = max(window // 4, -(-len(sound) // MOST_COLUMNS))
    padded = np.pad(sound, (0, max(0, window - len(sound))))
    magnitudes = np.abs(librosa.stft(padded, n_fft=window, hop_length=hop))
    # A sine of full scale has a quarter of the window as its magnitude.
    levels_db = librosa.amplitude_to_db(magnitudes, ref=window / 4, top_db=None)
    loudest_db = max(levels_db.max(), QUIET_DB)
    mesh = _show(
        spectrum,
        levels_db,
        column_s=hop / sample_rate,
        row=sample_rate / window / 1000,
        vmin=loudest_db - DYNAMIC_RANGE_DB,
        vmax=loudest_db,
    )
    figure.colorbar(mesh, ax=[wave, spectrum], label="level (dB of full scale)", pad=0.01, aspect=40)
    wave.set(title=plain_text(title), ylabel="amplitude", xlim=(0, len(sound) / sample_rate))
    spectrum.set(ylabel="frequency (kHz)", ylim=(0, sample_rate / 2000))
    mark_seam([wave, spectrum], seam_s)
    write_figure(figure, path)


def spectrogram_frames_picture(
    path: Path, frames: NDArray[np.floating[Any]], frame_rate_hz: float, seam_s: float | None, title: str
) -> None:
    """Draw the modelled frames of a log spectrogram: time to the right, bins or bands upwards.

    Of many frames every second, third ... is drawn.

    Args:
        path: the PNG file to be written.
        frames: (T, D), natural logarithms of magnitudes.
        frame_rate_hz: frames per second.
        seam_s: time in seconds at which the continuation begins, marked by a line; None without one.
        title: text above the plot.
    """
    stride = -(-len(frames) // MOST_COLUMNS)
    figure = new_figure(height_px=480)
    axes = figure.subplots()
    mesh = _show(axes, frames[::stride].T, column_s=stride / frame_rate_hz, row=1)
    figure.colorbar(mesh, ax=axes, label="log magnitude (nats)", pad=0.01, aspect=30)
    axes.set(title=plain_text(title), ylabel="bin")
    mark_seam([axes], seam_s)
    write_figure(figure, path)


def comparison(
    path: Path,
    rows: Sequence[tuple[str, float]],
    unit: str,
    models: Collection[str] | None = None,
    better: str = "lower",
) -> None:
    """Draw a bar with its number for each named value, the best on top; the best model stands out.

    Bars begin a little beyond the best value, not at 0, so that small differences are visible. The axis
    states where. Values that are not finite, as of a diverged model, have no bar and come last.

    Args:
        path: of the PNG.
        rows: names and values.
        unit: of the values.
        models: names that are models', while the others are baselines; None where all are.
        better: "lower" or "higher".
    """
    sign = -1.0 if better == "higher" else 1.0
    ordered = sorted(rows, key=lambda row: (not np.isfinite(row[1]), sign * np.nan_to_num(row[1])))
    own = [models is None or name in models for name, _ in ordered]
    best = own.index(True) if True in own else None
    values = np.array([value for _, value in ordered], np.float64)
    finite = np.isfinite(values)
    start, end = _bar_limits(values[finite])
    figure = new_figure(height_px=120 + 44 * len(rows))
    axes = figure.subplots()
    colours = [OWN_COLOUR if is_own else FAINT_COLOUR for is_own in own]
    if best is not None:
        colours[best] = COLOURS[0]
    lengths = np.where(finite, values, start) - start
    bars = axes.barh(range(len(rows)), lengths, left=start, color=colours, height=0.66)
    axes.set_yticks(range(len(rows)), [plain_text(name) for name, _ in ordered])
    axes.bar_label(bars, labels=[_number(value) for value in values], padding=5)
    axes.invert_yaxis()
    axes.set_xlim(start, end)
    axes.set_xlabel(f"{plain_text(unit)} ({better} is better); bars begin at {_number(start)}")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    write_figure(figure, path)


def _bar_limits(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Return where bars of finite values begin, and where the axis ends, with room for numbers."""
    if not len(values):
        return 0.0, 1.0
    span = float(np.ptp(values)) or abs(float(values[0])) or 1.0
    return float(values.min()) - 0.08 * span, float(values.max()) + 0.12 * span


def _number(value: float) -> str:
    """Return a number as text, with two decimals unless it is very large or small."""
    if not np.isfinite(value):
        return "not finite"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:#.3g}"


def _logarithmic(axes: Axes, name: Literal["x", "y"], ratio: float) -> None:
    """Make an axis logarithmic, labelled with plain numbers, also within a decade.

    Args:
        axes: the panel.
        name: which axis.
        ratio: its largest value divided by its smallest.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

    axes.set(**{f"{name}scale": "log"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_locator(
        MaxNLocator(7, steps=[1, 2, 5, 10]) if ratio < 10 else LogLocator(subs=(1, 2, 5), numticks=12)
    )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _envelope(axes: Axes, sound: NDArray[np.float32], sample_rate: int) -> None:
    """Return the lowest and highest sample of each interval; two intervals make a pixel."""
    stretch = max(1, len(sound) // (2 * WIDTH_PX))
    starts = np.arange(0, len(sound), stretch)
    low, high = np.minimum.reduceat(sound, starts), np.maximum.reduceat(sound, starts)
    edges_s = np.append(starts, len(sound)) / sample_rate
    axes.fill_between(
        edges_s, np.append(low, low[-1]), np.append(high, high[-1]), color=SOUND_COLOUR, linewidth=0.6
    )


def _show(axes: Axes, values: NDArray[np.floating[Any]], column_s: float, row: float, **limits: Any) -> Any:
    """Draw values (D, T) as an image, with the distances of columns in seconds and of rows in units."""
    import librosa.display
    from matplotlib.ticker import AutoLocator, ScalarFormatter

    edges = [
        (np.arange(count + 1) - 0.5) * width
        for count, width in zip(values.shape, (row, column_s), strict=True)
    ]
    mesh = librosa.display.specshow(
        values, x_coords=edges[1], y_coords=edges[0], ax=axes, cmap="magma", auto_aspect=False, **limits
    )
    for axis in (axes.xaxis, axes.yaxis):  # which specshow leaves bare when it is given coordinates
        axis.set_major_locator(AutoLocator())
        axis.set_major_formatter(ScalarFormatter())
    return mesh
