"""Plot of a spectrogram: time to the right in seconds, frequency upwards in Hz, level in dB."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.common.text import clock
from pipeline.config.inputs import SpectrogramConfig
from pipeline.plots.figure import new_figure, plain_text, write_figure

Floats = npt.NDArray[np.floating[Any]]

DYNAMIC_RANGE_DB = 80.0
DB_PER_NAT = 20 / math.log(10)
MEL_TICKS_HZ = (0, 250, 500, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 11_000, 16_000, 22_000, 40_000)
LEAST_TICK_GAP = 0.04  # of the axis
LONG_S = 600.0
CLOCK_STEPS_S = (120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200)
MOST_TIMES = 9


def draw(
    path: Path, shown: Floats, column_s: float, config: SpectrogramConfig, frequencies_hz: Floats, name: str
) -> None:
    """Draw the columns of a spectrogram; brighter is louder.

    Args:
        path: the PNG file to be written.
        shown: (C, D), natural logarithms of magnitudes.
        column_s: seconds from one column to the next.
        config: the analysis.
        frequencies_hz: of the bins or mel bands, (D,).
        name: of the recording, for the title.
    """
    levels_db = shown.T * DB_PER_NAT
    if not config.n_mels:  # a sine of full scale has a quarter of the window as its magnitude
        levels_db = levels_db - 20 * math.log10(config.window_length / 4)
    lowest_db, highest_db = float(levels_db.min()), float(levels_db.max())
    figure = new_figure(height_px=560)
    axes = figure.subplots()
    count, bands = shown.shape
    edge = (frequencies_hz[1] - frequencies_hz[0]) / 2 if bands > 1 else 0.5
    span = (-0.5, bands - 0.5) if config.n_mels else (frequencies_hz[0] - edge, frequencies_hz[-1] + edge)
    image = axes.imshow(
        levels_db,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        # Silence is all of one level, which is drawn as dark as the least.
        vmin=max(highest_db - DYNAMIC_RANGE_DB, min(lowest_db, highest_db - 1)),
        vmax=highest_db if highest_db > lowest_db else highest_db + DYNAMIC_RANGE_DB,
        extent=(-column_s / 2, (count - 0.5) * column_s, *span),
    )
    unit = "mel magnitude (dB)" if config.n_mels else "level (dB of full scale)"
    figure.colorbar(image, ax=axes, label=unit, pad=0.01, aspect=30)
    axes.set_title(plain_text(f"{name}: {_description(config, bands)}"))
    _label_time(axes, count * column_s)
    axes.set_ylabel("frequency (Hz), mel scale" if config.n_mels else "frequency (Hz)")
    axes.set_ylim(bottom=max(span[0], 0) if not config.n_mels else span[0])
    if config.n_mels:
        axes.set_yticks(*_mel_ticks(frequencies_hz))
    else:
        axes.yaxis.set_major_formatter("{x:,.0f}")
    write_figure(figure, path)


def _description(config: SpectrogramConfig, bands: int) -> str:
    ms = 1000 / config.sample_rate
    kind = "mel bands" if config.n_mels else "bins"
    return (
        f"{bands} {kind}, windows of {config.window_length * ms:.4g} ms every {config.hop_length * ms:.4g} ms"
    )


def _label_time(axes: Any, seconds: float) -> None:
    axes.set_xlim(left=0)
    axes.set_xlabel("time (s)" if seconds < LONG_S else "time (h:min:s)")
    if seconds >= LONG_S:
        from matplotlib.ticker import FuncFormatter, MultipleLocator

        step_s = next((s for s in CLOCK_STEPS_S if seconds / s <= MOST_TIMES), seconds / MOST_TIMES)
        axes.xaxis.set_major_locator(MultipleLocator(step_s))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda second, _: clock(second)))


def _mel_ticks(frequencies_hz: Floats) -> tuple[list[float], list[str]]:
    """Return the positions of round frequencies among the bands, spaced for labels."""
    positions: list[float] = []
    labels: list[str] = []
    for frequency_hz in MEL_TICKS_HZ:
        if frequencies_hz[0] <= frequency_hz <= frequencies_hz[-1]:
            position = float(np.interp(frequency_hz, frequencies_hz, np.arange(len(frequencies_hz))))
            if not positions or position - positions[-1] >= LEAST_TICK_GAP * len(frequencies_hz):
                positions.append(position)
                labels.append(f"{frequency_hz:,}")
    return positions, labels
