"""Plot of a piano roll: a bar for every held note, time to the right, pitch upwards."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.music.midi import KEYS, LOWEST_PITCH, Roll
from pipeline.plots.figure import COLOURS, mark_seam, new_figure, plain_text, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
BLACK_KEYS = (1, 3, 6, 8, 10)
BLACK_KEY_COLOUR = "#F1F3F5"
OCTAVE_COLOUR = "#CED4DA"
HEARD_COLOUR, ADDED_COLOUR = COLOURS[0], COLOURS[1]
FEWEST_KEYS = 24  # so that one voice alone is not drawn as thick bars
MARGIN_KEYS = 2
BAR_HEIGHT = 0.76  # of the distance between two keys


def plot_piano_roll(path: Path, roll: Roll, step_rate_hz: float, seam_s: float | None, title: str) -> None:
    """Draw a piano roll from its lowest to its highest note.

    The notes of a continuation have another colour.

    Args:
        path: the PNG file to be written.
        roll: (T, 88), 0 or 1.
        step_rate_hz: steps per second.
        seam_s: time in seconds at which the context ends and the continuation begins; None without one.
        title: text above the plot.
    """
    figure = new_figure(height_px=560)
    axes = figure.subplots()
    low, high = _key_range(roll)
    _keyboard(axes, low, high)
    seam = len(roll) if seam_s is None else round(seam_s * step_rate_hz)
    _draw_bars(axes, roll[:seam], 0, step_rate_hz, HEARD_COLOUR)
    _draw_bars(axes, roll[seam:], seam, step_rate_hz, ADDED_COLOUR)
    axes.set(title=plain_text(title), ylabel="pitch")
    axes.set_xlim(0, max(len(roll), 1) / step_rate_hz)
    axes.set_ylim(low + LOWEST_PITCH - 0.5, high + LOWEST_PITCH + 0.5)
    mark_seam([axes], seam_s)
    write_figure(figure, path)


def pitch_name(pitch: int) -> str:
    """Return the name of a MIDI pitch in scientific pitch notation; 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def _key_range(roll: Roll) -> tuple[int, int]:
    """Return the lowest and highest key to draw: all notes with a margin, at least two octaves."""
    sounding = np.flatnonzero(roll.any(0))
    low, high = (int(sounding[0]), int(sounding[-1])) if len(sounding) else (KEYS // 2, KEYS // 2)
    missing = max(0, FEWEST_KEYS - (high - low + 1) - 2 * MARGIN_KEYS)
    low = max(0, low - MARGIN_KEYS - missing // 2)
    return low, min(KEYS - 1, max(high + MARGIN_KEYS, low + FEWEST_KEYS - 1))


def _keyboard(axes: "Axes", low: int, high: int) -> None:
    """Draw grey rows for the black keys, a line below each C, and the names of the pitches."""
    pitches = np.arange(low, high + 1) + LOWEST_PITCH
    for pitch in pitches[np.isin(pitches % 12, BLACK_KEYS)]:
        axes.axhspan(pitch - 0.5, pitch + 0.5, color=BLACK_KEY_COLOUR, linewidth=0, zorder=0)
    for pitch in pitches[pitches % 12 == 0]:
        axes.axhline(pitch - 0.5, color=OCTAVE_COLOUR, linewidth=0.7, zorder=1)
    named = pitches[np.isin(pitches % 12, (0,) if high - low > 48 else (0, 4, 7))]
    axes.set_yticks(named, [pitch_name(int(pitch)) for pitch in named])


def _draw_bars(axes: "Axes", roll: Roll, first_step: int, step_rate_hz: float, colour: str) -> None:
    """Draw a bar for every held note; ``roll`` (T, 88) begins at ``first_step``."""
    from matplotlib.collections import PolyCollection

    changes = np.diff(np.pad((roll > 0).astype(np.int8), ((1, 1), (0, 0))), axis=0).T
    keys, starts = np.nonzero(changes == 1)
    ends = np.nonzero(changes == -1)[1]
    left, right = ((steps + first_step) / step_rate_hz for steps in (starts, ends))
    below, above = keys + LOWEST_PITCH - BAR_HEIGHT / 2, keys + LOWEST_PITCH + BAR_HEIGHT / 2
    corners = np.stack([left, below, left, above, right, above, right, below], 1).reshape(-1, 4, 2)
    # The outline keeps notes visible that are narrower than a pixel.
    axes.add_collection(
        PolyCollection(list(corners), facecolor=colour, edgecolor=colour, linewidth=0.5, zorder=2)
    )
