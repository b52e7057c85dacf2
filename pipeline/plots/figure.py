"""The common figure of all plots: drawn with matplotlib's objects, without a screen.

Colours are those of Okabe and Ito, which colour-blind readers can distinguish. Plots are 1200 pixels wide,
unless two are placed side by side.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.common.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_PX = 1200
DOTS_PER_INCH = 120
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SEAM_COLOUR = "#56B4E9"  # stands out on white as on the dark and fiery colours of a spectrogram


def new_figure(height_px: int, width_px: int = WIDTH_PX) -> Figure:
    """Return an empty figure of this height and width in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size_inch = (width_px / DOTS_PER_INCH, height_px / DOTS_PER_INCH)
    figure = Figure(figsize=size_inch, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically, without the upper and right borders of its panels.

    Args:
        figure: a figure of `new_figure`.
        path: the file, which is replaced if it exists.
    """
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as temporary, warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes; the warning would add nothing.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        figure.savefig(temporary, format="png")


def plain_text(text: str) -> str:
    """Return a user's text on one line, with dollar signs escaped, which would begin a formula."""
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return shown.replace("$", r"\$")


def mark_seam(panels: Sequence[Axes], seam_s: float | None) -> None:
    """Label the time axis of the lowest panel, and draw the seam on all panels.

    Args:
        panels: from top to bottom, with one time axis.
        seam_s: time in seconds at which the continuation begins; None draws no line.
    """
    panels[-1].set_xlabel(
        "time (s)" if seam_s is None else f"time (s); the line is the seam at {seam_s:.2f} s"
    )
    if seam_s is not None:
        for axes in panels:
            axes.axvline(seam_s, color=SEAM_COLOUR, linewidth=1.8)
